"""The dominant colours of a picture by name, with their shares."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image

from app.embedding.models.color_palette import small
from app.embedding.pictures.backdrop import product_mask
from app.embedding.pictures.colour_space import even, lab

# A name has several examples where it spans much: lit and in the shade.
EXAMPLES = MappingProxyType(
    {
        "black": ("#16161a", "#2e2f33"),
        "grey": ("#55585c", "#8b8f94", "#b4b7bb"),
        "white": ("#d9d9d9", "#faf9f6"),
        "beige": ("#d8c4a5", "#c2ac8c", "#ebdfc9"),
        "brown": ("#7c5034", "#523320", "#9c6b48"),
        "burgundy": ("#701f34", "#4f1626"),
        "red": ("#c83038", "#a01c24", "#e0161f"),
        "pink": ("#eca7b8", "#e0568f", "#f4cdd6", "#c98797"),
        "orange": ("#e57c36", "#f59a3c", "#c4622a"),
        "mustard": ("#c99b2c", "#a87f26", "#e2b23a"),
        "yellow": ("#f5dd3d", "#f3e98c"),
        "olive": ("#6e7446", "#4f5330"),
        "green": ("#3a8a5b", "#1f6b3a", "#57b04f", "#9cc79a"),
        "turquoise": ("#288389", "#1f6569", "#45b5b5"),
        "light blue": ("#9fc8e8", "#c4dff0", "#7fa9c9"),
        "blue": ("#3870c4", "#2850a0", "#3b5a8c"),
        "navy": ("#24345e", "#182240"),
        "purple": ("#7a56a6", "#55357d", "#a98bc9"),
    }
)
_NAMES = tuple(EXAMPLES)
_OWNERS = np.array([_NAMES.index(name) for name, colours in EXAMPLES.items() for _ in colours])
_POINTS = even(
    lab(np.array([list(bytes.fromhex(one[1:])) for colours in EXAMPLES.values() for one in colours], np.uint8))
)


class NamedColour(NamedTuple):
    """A colour of a picture: its name, the middle of its pixels as `#rrggbb`, and its share of the product."""

    name: str
    hex: str
    share: float


def dominant_colours(picture: Image.Image, least: float = 0.05) -> list[NamedColour]:
    """Return the colours of a picture by share, the largest first, without a plain light backdrop.

    Each pixel (of 64 x 64) counts for the name that has the example nearest to it in DIN99.

    Args:
        picture: in any mode; transparency is left to the caller.
        least: the share below which a colour is left out; the largest always stays. Shares are of the whole product,
            so that they may add up to less than 1.

    """
    pixels = small(picture)
    colours = lab(pixels)
    mask = product_mask(colours)
    shown, points = pixels[mask], even(colours[mask])
    owners = _OWNERS[np.square(points[:, None] - _POINTS).sum(axis=2).argmin(axis=1)]
    shares = np.bincount(owners, minlength=len(_NAMES)) / len(owners)
    found: list[NamedColour] = []
    for place in np.argsort(-shares, kind="stable"):
        if shares[place] < least and found:
            break
        middle = np.rint(np.median(shown[owners == place], axis=0)).astype(int)
        found.append(NamedColour(_NAMES[place], "#{:02x}{:02x}{:02x}".format(*middle), round(float(shares[place]), 4)))
    return found
