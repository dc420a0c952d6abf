"""A product photo often shows plain light paper behind the product: its pixels are found here.

The border of the picture is looked at, two pixels of 64 wide. If most of it is light and of little colour, a smooth
surface (a quadratic polynomial of the place, a channel of CIELAB each, fitted again without the pixels that stand off)
stands for the paper: studio light falls off towards the corners. Backdrop is what lies near the surface and hangs
together with the border, so that a white shirt on white paper stays where a shadow or seam encloses it.
"""

import numpy as np
from numpy.typing import NDArray

from app.embedding.pictures.colour_space import Colours

SIDE = 64
_NEAR = 6.0  # CIELAB units from the surface; paper in JPEG photos stays within 4
_LIGHT = 60.0  # L of the paper at least
_GREY = 20.0  # chroma of the paper at most
_MOST = 0.6  # of the border must be paper: a product may reach over the edge
_ROUGH = 15.0
_SMALLEST = 0.02  # less of the picture than this is no product: then the paper is the picture
_ACROSS, _DOWN = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE)])
_TERMS = np.stack(
    [np.ones_like(_ACROSS), _ACROSS, _DOWN, _ACROSS**2, _DOWN**2, _ACROSS * _DOWN], axis=-1
)  # (64, 64, 6)
_BORDER = np.ones((SIDE, SIDE), bool)
_BORDER[2:-2, 2:-2] = False

Mask = NDArray[np.bool_]


def product_mask(colours: Colours) -> Mask:
    """Return which pixels of a picture, (64, 64, 3) CIELAB, are product: (64, 64) bool, never none.

    All of them are where the backdrop cannot be told: a border that is dark, colourful or of many colours (a photo
    outdoors, a close-up of cloth), or a picture with next to nothing but backdrop.
    """
    surface = _paper(colours)
    if surface is None:
        return np.ones((SIDE, SIDE), bool)
    backdrop = _from_border(np.linalg.norm(colours - surface, axis=-1) < _NEAR)
    product = ~backdrop
    return product if product.mean() >= _SMALLEST else np.ones((SIDE, SIDE), bool)


def _paper(colours: Colours) -> NDArray[np.float64] | None:
    """Return the colour of the paper at each pixel, (64, 64, 3), or None where the border is no paper."""
    border, terms = colours[_BORDER].astype(np.float64), _TERMS[_BORDER]
    usual = np.median(border, axis=0)
    if usual[0] < _LIGHT or np.hypot(usual[1], usual[2]) > _GREY:
        return None
    kept = np.linalg.norm(border - usual, axis=1) < _ROUGH
    factors = np.zeros((_TERMS.shape[-1], 3))
    for _ in range(3):
        if kept.mean() < _MOST:
            return None
        factors = np.linalg.lstsq(terms[kept], border[kept], rcond=None)[0]
        kept = np.linalg.norm(border - np.einsum("pt,tc->pc", terms, factors), axis=1) < _NEAR
    if kept.mean() < _MOST:
        return None
    return np.asarray(np.einsum("yxt,tc->yxc", _TERMS, factors), np.float64)


def _from_border(near: Mask) -> Mask:
    """Return what of a mask hangs together with the border of the picture, by steps up, down and sideways."""
    reached = near & _BORDER
    count = -1
    while (now := int(reached.sum())) != count:
        count = now
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        reached = grown & near
    return reached
