"""Vectors in memory, as the numerics of maps read them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Kept:
    """Rows in memory."""

    def __init__(self, matrix: Floats) -> None:
        self.matrix = matrix

    def __call__(self, start: int, size: int) -> Floats:
        return self.matrix[start : start + size]

    def at(self, places: NDArray[np.int32]) -> Floats:
        return self.matrix[places]
