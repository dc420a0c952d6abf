"""usearch: what a graph in the process's own memory can do, without attributes, commits or a server."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.bench.peers.base import EF_CONSTRUCTION, Footprint, M, Place, Stock, Vector, folder_bytes, versions
from tests.bench.shop import Condition

_PART = 10_000


class Engine:
    """One index of 16-bit floats, saved to a file and restored."""

    filters = False
    durable: str | None = None

    def __init__(self, place: Place) -> None:
        self._module: Any = importlib.import_module("usearch.index")
        self._file = place.folder / "index.usearch"
        self._index: Any = None

    def version(self) -> str:
        """Return the version that is installed."""
        return versions("usearch")

    def build(self, stock: Stock) -> None:
        """Index all vectors on all cores, and save the index."""
        self._index = self._module.Index(
            ndim=stock.shape[1], metric="cos", dtype="f16", connectivity=M, expansion_add=EF_CONSTRUCTION
        )
        for part in stock.parts(_PART):
            self._index.add(np.arange(part.numbers.start, part.numbers.stop), part.vectors)
        self._index.save(str(self._file))

    def open(self) -> None:
        """Load the index."""
        self._index = self._module.Index.restore(str(self._file))

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers.

        Raises:
            NotImplementedError: there is a condition.

        """
        if condition is not None:
            raise NotImplementedError("usearch has no attributes")
        if effort is not None:
            self._index.expansion_search = effort
        found: list[int] = self._index.search(query, k, threads=1).keys.tolist()
        return found

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Refuse.

        Raises:
            NotImplementedError: always: there are no attributes.

        """
        raise NotImplementedError("usearch has no attributes")

    def footprint(self) -> Footprint:
        """Return the bytes of the index's file."""
        return Footprint(folder_bytes(self._file.parent))

    def close(self) -> None:
        """Drop the index from memory."""
        self._index.reset()
