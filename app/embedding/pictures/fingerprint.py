"""A perceptual hash of a stored thumbnail: evidence of a copy beside the model's (ADR 19).

It is the hash of the model `phash`, 256 bits of the lowest frequencies of 64 x 64 greys, made of the thumbnail and by
a matrix of cosines, which takes a fifth of the time: where two frequencies are nearly equal, a bit may be another.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.models import registry
from app.embedding.models.base import Verify
from app.embedding.pictures.verification import is_plain, opened

_SIDE, _PIXELS = 16, 64
# Second differences of greys, 0 to 255, that 2 % of the cells must reach so that a picture is no plain one without a
# closer look: those of plain pictures are below 7 in lightness, 0 to 100.
_BENT, _BENT_SHARE = 40.0, 98


def complements(model: str) -> bool:
    """Return whether the hash sees what a model does not: networks do not see the whole picture, hashes do."""
    entry = registry.MODELS.get(model)
    return entry is None or entry.facts.verify is Verify.ALL


def fingerprint(webp: bytes) -> bytes | None:
    """Return the hash of a thumbnail, 32 bytes; None of a plain picture, all of which are one to it, or of no WebP."""
    try:
        picture = opened(webp)
    except OSError:
        return None  # what SQL has stored as a thumbnail
    grey = np.asarray(picture.convert("L").resize((_PIXELS, _PIXELS), Image.Resampling.LANCZOS), np.float32)
    if not _bent(grey) and is_plain(webp):
        return None
    frequencies = _COSINES @ grey @ _COSINES.T
    return np.packbits(frequencies > np.median(frequencies)).tobytes()


def _bent(grey: NDArray[np.float32]) -> bool:
    cells = grey.reshape(_PIXELS // 2, 2, _PIXELS // 2, 2).mean(axis=(1, 3))
    around = cells[:-2, 1:-1] + cells[2:, 1:-1] + cells[1:-1, :-2] + cells[1:-1, 2:]
    return float(np.percentile(np.abs(4 * cells[1:-1, 1:-1] - around), _BENT_SHARE)) >= _BENT


# The DCT-II, not normalised: (16, 64).
_COSINES = np.cos(np.pi / _PIXELS * np.outer(np.arange(_SIDE), np.arange(_PIXELS) + 0.5)).astype(np.float32)
