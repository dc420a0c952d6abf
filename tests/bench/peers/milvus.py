"""Milvus Lite in the process, kept in a file."""

import importlib
import json
from collections.abc import Sequence
from typing import Any

from tests.bench.peers.base import (
    CANDIDATES,
    CUTOFF,
    EF_CONSTRUCTION,
    GROUP,
    GROUPS,
    NOTHING,
    Footprint,
    M,
    Place,
    Stock,
    Vector,
    folder_bytes,
    versions,
)
from tests.bench.shop import Condition

_NAME = "bench"
_PART = 4000


class Engine:
    """A collection of a client on a file."""

    filters = True
    durable: str | None = "a log, not synced"

    def __init__(self, place: Place) -> None:
        self._milvus: Any = importlib.import_module("pymilvus")
        self._folder = place.folder
        self._client = self._milvus.MilvusClient(str(place.folder / "milvus.db"))

    def version(self) -> str:
        """Return the versions that are installed."""
        return versions("milvus-lite", "pymilvus")

    def build(self, stock: Stock) -> None:
        """Store and index all records."""
        kinds = self._milvus.DataType
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("number", kinds.INT64, is_primary=True)
        schema.add_field("price", kinds.DOUBLE)
        schema.add_field("category", kinds.VARCHAR, max_length=200)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=stock.shape[1])
        indexes = self._client.prepare_index_params()
        graph = {"M": M, "efConstruction": EF_CONSTRUCTION}
        indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=graph)
        indexes.add_index("price", index_type="INVERTED")
        indexes.add_index("category", index_type="INVERTED")
        self._client.create_collection(_NAME, schema=schema, index_params=indexes)
        for part in stock.parts(_PART):
            rows = [
                {"number": number, "price": price, "category": category, "vector": vector}
                for number, vector, price, category in zip(
                    part.numbers, part.vectors, part.prices, part.categories, strict=True
                )
            ]
            self._client.insert(_NAME, rows)
        self._client.flush(_NAME)
        self._client.load_collection(_NAME)

    def open(self) -> None:
        """Load the collection."""
        self._client.load_collection(_NAME)

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers."""
        found = self._client.search(
            _NAME,
            data=[query.tolist()],
            limit=k,
            filter="" if condition is None else _expression(condition),
            search_params={"metric_type": "COSINE", "params": {} if effort is None else {"ef": effort}},
        )
        return [one["number"] for one in found[0]]

    def refined(self, way: str, query: Vector, k: int, condition: Condition | None) -> list[int]:
        """Search with a radius, or grouped by category."""
        params: dict[str, Any] = {"ef": CANDIDATES}
        if way == CUTOFF:
            params["radius"] = 1 - NOTHING
        grouped = {"group_by_field": "category", "group_size": GROUP, "strict_group_size": True}
        found = self._client.search(
            _NAME,
            data=[query.tolist()],
            limit=k,
            filter="" if condition is None else _expression(condition),
            search_params={"metric_type": "COSINE", "params": params},
            **(grouped if way == GROUPS else {}),
        )
        return [one["number"] for one in found[0]]

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Set the price by partial upserts."""
        for start in range(0, len(numbers), _PART):
            rows = [{"number": number, "price": price} for number in numbers[start : start + _PART]]
            self._client.upsert(_NAME, rows, partial_update=True)

    def footprint(self) -> Footprint:
        """Return the bytes of the folder."""
        return Footprint(folder_bytes(self._folder))

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _expression(condition: Condition) -> str:
    parts = []
    if condition.below is not None:
        parts.append(f"price < {condition.below!r}")
    if condition.category is not None:
        parts.append(f"category == {json.dumps(condition.category)}")
    return " and ".join(parts)
