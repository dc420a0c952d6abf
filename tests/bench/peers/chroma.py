"""Chroma in the process, kept in a folder."""

import importlib
from collections.abc import Sequence
from typing import Any

from tests.bench.peers.base import EF_CONSTRUCTION, Footprint, M, Place, Stock, Vector, folder_bytes, versions
from tests.bench.shop import Condition

_NAME = "bench"
_PART = 4000
_EFFORT = 100


class Engine:
    """A collection of a persistent client; its search effort is a setting of the collection, not of a query."""

    filters = True
    durable: str | None = "committed, synced"

    def __init__(self, place: Place) -> None:
        self._chroma: Any = importlib.import_module("chromadb")
        self._folder = place.folder
        self._client = self._connected()
        self._collection: Any = None
        self._effort: int | None = _EFFORT

    def _connected(self) -> Any:
        settings = self._chroma.Settings(anonymized_telemetry=False)
        return self._chroma.PersistentClient(str(self._folder), settings=settings)

    def version(self) -> str:
        """Return the version that is installed."""
        return versions("chromadb")

    def build(self, stock: Stock) -> None:
        """Store and index all records."""
        graph = {"space": "cosine", "max_neighbors": M, "ef_construction": EF_CONSTRUCTION, "ef_search": _EFFORT}
        self._collection = self._client.create_collection(_NAME, configuration={"hnsw": graph}, embedding_function=None)
        for part in stock.parts(min(_PART, self._client.get_max_batch_size())):
            attributes = [
                {"price": price, "category": category}
                for price, category in zip(part.prices, part.categories, strict=True)
            ]
            self._collection.add(
                ids=[str(number) for number in part.numbers], embeddings=part.vectors, metadatas=attributes
            )

    def open(self) -> None:
        """Find the collection."""
        self._collection = self._client.get_collection(_NAME, embedding_function=None)

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers; another effort than before changes the collection first."""
        if effort is not None and effort != self._effort:
            self._set_effort(effort)
        found = self._collection.query(query_embeddings=[query], n_results=k, where=_where(condition), include=[])
        return [int(one) for one in found["ids"][0]]

    def _set_effort(self, effort: int) -> None:
        """Change the collection and load it anew: a graph in memory keeps the effort that it was loaded with."""
        self._collection.modify(configuration={"hnsw": {"ef_search": effort}})
        importlib.import_module("chromadb.api.client").SharedSystemClient.clear_system_cache()
        self._client = self._connected()
        self.open()
        self._effort = effort

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Set the price in the metadata."""
        size = self._client.get_max_batch_size()
        for start in range(0, len(numbers), size):
            ids = [str(number) for number in numbers[start : start + size]]
            self._collection.update(ids=ids, metadatas=[{"price": price}] * len(ids))

    def footprint(self) -> Footprint:
        """Return the bytes of the folder."""
        return Footprint(folder_bytes(self._folder))

    def close(self) -> None:
        """Do nothing: the client has nothing to be closed."""


def _where(condition: Condition | None) -> dict[str, Any] | None:
    if condition is None:
        return None
    parts: list[dict[str, Any]] = []
    if condition.below is not None:
        parts.append({"price": {"$lt": condition.below}})
    if condition.category is not None:
        parts.append({"category": condition.category})
    return parts[0] if len(parts) == 1 else {"$and": parts}
