"""Principal components of many vectors, read block by block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 2048


class Rows(Protocol):
    """Many vectors of unit length, wherever they are kept; one of zeros stands for none."""

    def __call__(self, start: int, size: int) -> NDArray[np.float32]:
        """Return rows from one on, so many at most: (rows, dimensions)."""

    def at(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return some rows: (places, dimensions)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The directions in which vectors differ most.

    Attributes:
        mean: (dimensions,) float32.
        axes: (dimensions, dimensions) float32, columns of unit length, the widest first.

    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def project(self, rows: NDArray[np.float32], components: int) -> NDArray[np.float32]:
        """Return rows (n, dimensions) in so many components, float32."""
        return np.asarray((rows - self.mean) @ self.axes[:, :components], np.float32)


def principal(rows: Rows, total: int, tell: Callable[[int], None] = lambda _: None) -> Principal:
    """Return all principal components of `total` rows, one at least.

    The sign of an axis, which no variance tells, is such that its greatest entry is positive: the same vectors give the
    same axes. `tell` is called with the number of rows done with.
    """
    dimensions = rows(0, 1).shape[1]
    sums, products = np.zeros(dimensions), np.zeros((dimensions, dimensions))
    for start in range(0, total, BLOCK):
        part = rows(start, BLOCK)
        sums += part.sum(axis=0, dtype=np.float64)
        products += part.T @ part
        tell(min(total, start + BLOCK))
    mean = sums / total
    values, axes = np.linalg.eigh(products / total - np.outer(mean, mean))
    axes = axes[:, np.argsort(-values, kind="stable")]
    greatest = axes[np.abs(axes).argmax(axis=0), np.arange(dimensions)]
    return Principal(mean.astype(np.float32), (axes * np.where(greatest < 0, -1.0, 1.0)).astype(np.float32))
