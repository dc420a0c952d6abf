"""Any of Pillow's pixel modes becomes 8 bits a channel, deep greys scaled instead of cut; alpha gets a ground."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

_KEPT = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})

# A pixel nearer to white than this in all its channels cannot be told from white paper.
_UNSEEN = 12
_MOST = 0.75  # of a subject, by its opacity: if more of it cannot be seen on white, it lies on grey
_GREY = (176, 176, 176)
_SEEN_AT = 128  # pixels of the shorter side at which that is looked at


def eight_bits(picture: Image.Image) -> Image.Image:
    """Return a loaded picture of mode L, LA, RGB, RGBA, CMYK or LAB: itself, where it is that already.

    16-bit grey values give their upper byte. Values without a range of their own (32-bit, floating point) are
    stretched from the lowest to the highest.
    """
    if picture.mode.startswith("I;16"):
        values = np.asarray(picture)
        return Image.fromarray((values >> 4 if _is_12_bits(picture) else values >> 8).astype(np.uint8))
    if picture.mode in {"I", "F"}:
        return Image.fromarray(deep_to_bytes(np.asarray(picture)))
    if picture.mode == "La":
        return picture.convert("LA")
    if picture.mode in {"PA", "RGBa"} or "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in _KEPT else picture.convert("RGB")


def _is_12_bits(picture: Image.Image) -> bool:
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    return tags.get(TiffImagePlugin.BITSPERSAMPLE) == (12,)


def deep_to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return values of any number type as bytes.

    16-bit values, and 32-bit ones that are no larger, give their upper byte. Colours in floating point from 0 to 1 are
    scaled; all others are stretched from the lowest to the highest.
    """
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
        if values.ndim == 3 and values.shape[2] > 1 and finite.min() >= 0 and 0.1 < finite.max() <= 1:
            return np.rint(finite * 255).astype(np.uint8)
        return _stretched(finite)
    whole = values.astype(np.int64)
    if values.dtype.itemsize == 2 or (whole.min() >= 0 and 255 < whole.max() <= 0xFFFF):
        return (whole >> 8).astype(np.uint8)
    return _stretched(whole)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = float(values.min()) / 2, float(values.max()) / 2  # of halves no difference is too large for float32
    if high - low < 1e-30:  # nor, below this, is the factor
        return np.zeros(values.shape, np.uint8)
    return ((values.astype(np.float32) / 2 - low) * (255.0 / (high - low))).astype(np.uint8)


def on_ground(layer: Image.Image) -> Image.Image:
    """Return an RGB or RGBA picture as RGB: on white, or on grey where next to nothing of it could be seen on white."""
    if layer.mode == "RGB":
        return layer
    ground = Image.new("RGB", layer.size, _GREY if _is_unseen_on_white(layer) else "white")
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def _is_unseen_on_white(layer: Image.Image) -> bool:
    if layer.getchannel("A").getextrema()[0] == 255:
        return False
    small = np.asarray(layer.reduce(max(1, min(layer.size) // _SEEN_AT)))
    opacity = small[..., 3].astype(np.float64)
    unseen = small[..., :3].min(axis=2) > 255 - _UNSEEN
    return float(opacity[unseen].sum()) > _MOST * float(opacity.sum())
