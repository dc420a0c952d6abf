"""Qdrant's core in the process, by the package `qdrant-edge-py`."""

import importlib
from collections.abc import Sequence
from typing import Any

from tests.bench.peers.base import (
    CANDIDATES,
    DIVERSITY,
    EF_CONSTRUCTION,
    FACET,
    NOTHING,
    VARIED,
    Footprint,
    M,
    Place,
    Stock,
    Vector,
    folder_bytes,
    versions,
)
from tests.bench.shop import Condition

_PART = 1000
# Below so many KiB of vectors that a filter keeps Qdrant compares them all: its server's default.
_FULL_SCAN_KIB = 10_000
_INDEXED_FROM_KIB = 100


class Engine:
    """A shard in a folder. Payload indexes are made before the vectors', as the graph then has links of them, too."""

    filters = True
    durable: str | None = "a log, not synced"

    def __init__(self, place: Place) -> None:
        self._edge: Any = importlib.import_module("qdrant_edge")
        self._folder = place.folder
        self._shard: Any = None

    def version(self) -> str:
        """Return the version that is installed."""
        return versions("qdrant-edge-py")

    def build(self, stock: Stock) -> None:
        """Store and index all records."""
        edge = self._edge
        self._shard = edge.EdgeShard.create(str(self._folder), self._config(stock.shape[1]))
        change = edge.UpdateOperation
        self._shard.update(change.create_field_index("price", edge.PayloadSchemaType.Float))
        self._shard.update(change.create_field_index("category", edge.PayloadSchemaType.Keyword))
        for part in stock.parts(_PART):
            points = [
                edge.Point(number, vector.tolist(), {"price": price, "category": category})
                for number, vector, price, category in zip(
                    part.numbers, part.vectors, part.prices, part.categories, strict=True
                )
            ]
            self._shard.update(change.upsert_points(points))
        self._shard.optimize()
        self._shard.flush()

    def _config(self, dimensions: int) -> Any:
        edge = self._edge
        return edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine),
            hnsw_config=edge.HnswIndexConfig(m=M, ef_construct=EF_CONSTRUCTION, full_scan_threshold=_FULL_SCAN_KIB),
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=_INDEXED_FROM_KIB),
            max_search_threads=1,
        )

    def open(self) -> None:
        """Load the shard."""
        self._shard = self._edge.EdgeShard.load(str(self._folder))

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers."""
        edge = self._edge
        request = edge.SearchRequest(
            query=edge.Query.Nearest(query.tolist()),
            limit=k,
            filter=self._filter(condition),
            params=edge.SearchParams(hnsw_ef=effort),
        )
        return [point.id for point in self._shard.search(request)]

    def refined(self, way: str, query: Vector, k: int, condition: Condition | None) -> list[int]:
        """Count categories, or search with a threshold or for variety."""
        edge = self._edge
        if way == FACET:
            asked = edge.FacetRequest("category", limit=1000, exact=True, filter=self._filter(condition))
            return [hit.count for hit in self._shard.facet(asked).hits]
        if way == VARIED:
            mixed = edge.Mmr(query.tolist(), 1 - DIVERSITY, CANDIDATES)
            return [point.id for point in self._shard.query(edge.QueryRequest(limit=k, query=mixed))]
        nearest = edge.Query.Nearest(query.tolist())
        request = edge.SearchRequest(
            nearest, k, params=edge.SearchParams(hnsw_ef=CANDIDATES), score_threshold=1 - NOTHING
        )
        return [point.id for point in self._shard.search(request)]

    def _filter(self, condition: Condition | None) -> Any:
        if condition is None:
            return None
        edge = self._edge
        must = []
        if condition.below is not None:
            must.append(edge.FieldCondition("price", range=edge.RangeFloat(lt=condition.below)))
        if condition.category is not None:
            must.append(edge.FieldCondition("category", match=edge.MatchValue(condition.category)))
        return edge.Filter(must=must)

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Set the price in the payloads."""
        self._shard.update(self._edge.UpdateOperation.set_payload(list(numbers), {"price": price}))

    def footprint(self) -> Footprint:
        """Return the bytes of the shard's folder."""
        return Footprint(folder_bytes(self._folder))

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()
