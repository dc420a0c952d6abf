"""Hashes of 256 bits as vectors, so that they are stored, indexed and searched like any other.

A bit of 1 becomes +1/16 and of 0 becomes -1/16: 256 values of unit length. Two hashes that differ in h bits have the
cosine similarity (256 - h)/256 - h/256, so that 1 - cosine = 2h/256 = h/128: the Hamming distance, scaled.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.embedding.models.base import Prepared

BITS = 256


def scale_of(radius: int) -> float:
    """Return the `distance_scale` with which a Hamming distance of `radius` bits reads 5.0."""
    return 5.0 * (BITS / 2) / radius


def as_vectors(hashes: Sequence[Prepared]) -> NDArray[np.float32]:
    """Return (n, 256) float32 rows of unit length of hashes that are (256,) of 0 and 1 each."""
    signs = np.where(np.stack(hashes) > 0, np.float32(1), np.float32(-1))
    return np.asarray(signs / np.float32(np.sqrt(BITS)), np.float32)
