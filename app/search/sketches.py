"""Short stand-ins of vectors, which tell most pairs that are not alike, and never one that is."""

from collections.abc import Callable
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

Unit = Callable[[slice | NDArray[np.int64]], NDArray[np.float32]]
"""Gives some of many rows: (rows, dimensions) float32, of unit length or all zeros."""

COMPONENTS = 64
_ROWS = 2048
# Blocks of rows that the axes are fitted to.
_SAMPLED = 16


def sketched(unit: Unit, total: int) -> NDArray[np.float32]:
    """Return a sketch of each row: the product of two sketches is at least that of their rows, but for rounding.

    A sketch has the row's components along the axes on which rows are longest, and the length of what is left of it.
    By the inequality of Cauchy and Schwarz what is left of two rows adds no more to their product than the product of
    both lengths. Sketches are kept in a temporary file, so that memory is flat whatever their number.

    Args:
        unit: gives rows of more than `COMPONENTS` dimensions.
        total: number of all rows, one at least.

    Returns:
        (total, COMPONENTS + 1) float32.

    """
    axes = _axes(unit, total)
    with TemporaryFile(prefix="lookalike-sketches-") as file:  # it lives on as long as it is mapped
        sketches = np.memmap(file, np.float32, "w+", shape=(total, COMPONENTS + 1))
    for start in range(0, total, _ROWS):
        turned = unit(slice(start, start + _ROWS)) @ axes
        sketches[start : start + _ROWS, :COMPONENTS] = turned[:, :COMPONENTS]
        sketches[start : start + _ROWS, COMPONENTS] = np.linalg.norm(turned[:, COMPONENTS:], axis=1)
    return sketches


def _axes(unit: Unit, total: int) -> NDArray[np.float32]:
    """Return all directions as columns of unit length, first those along which sampled rows are longest."""
    firsts = _ROWS * np.unique(np.linspace(0, (total - 1) // _ROWS, _SAMPLED).astype(np.int64))
    products = sum(part.T @ part for part in (unit(slice(first, first + _ROWS)) for first in firsts))
    return np.ascontiguousarray(np.linalg.eigh(np.asarray(products, np.float64))[1][:, ::-1], np.float32)
