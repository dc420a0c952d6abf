"""Any of Pillow's pixel modes becomes RGB: alpha on white, deep greys scaled to 8 bits instead of cut."""

import numpy as np
from PIL import Image

_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a loaded picture as RGB, transparency on white: itself, where it is RGB already.

    16-bit grey values give their upper byte. Values without a range of their own (32-bit, floating point) are
    stretched from the lowest to the highest.
    """
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture) >> 8)
    if picture.mode == "I":
        values = np.asarray(picture)
        return _grey(values >> 8) if values.min() >= 0 and 255 < values.max() <= 0xFFFF else _stretched(values)
    if picture.mode == "F":
        return _stretched(np.nan_to_num(np.asarray(picture), posinf=0.0, neginf=0.0))
    if picture.mode in _ALPHA or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGB", layer.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _stretched(values: np.ndarray) -> Image.Image:
    low, high = float(values.min()) / 2, float(values.max()) / 2  # of halves no difference is too large for float32
    if high - low < 1e-30:  # nor, below this, is the factor
        return _grey(np.zeros(values.shape))
    return _grey((values.astype(np.float32) / 2 - low) * (255.0 / (high - low)))
