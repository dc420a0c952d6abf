"""Ours: the server's search, update and index builds, without HTTP around them."""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, records
from app.db.engine import Database
from app.db.records import NewRecord, Patch
from app.db.versions import check_versions
from app.domain.collections import Collection
from app.domain.facets import facets_of
from app.domain.jsontext import dumps
from app.domain.records import Fields
from app.domain.refinement import Refinement
from app.domain.windows import Window
from app.filters import NO_FILTER, compile_filter, parse_filter
from app.search.request import Query
from app.services import facets, qualified
from app.services.context import Context
from tests.bench.peers.base import (
    CANDIDATES,
    CUTOFF,
    DIVERSITY,
    FACET,
    GROUP,
    NOTHING,
    VARIED,
    Footprint,
    Place,
    Stock,
    Vector,
)
from tests.bench.peers.postgres import footprint, graph_bytes
from tests.bench.shop import Condition
from tests.support.searching import answered

_PART = 2000


class Engine:
    """One collection with the price declared; it is made and dropped by the benchmark around this process."""

    filters = True
    durable: str | None = "committed, synced"

    def __init__(self, place: Place) -> None:
        settings = Settings()
        self._resources = indexes.Resources(settings.build_memory_mb, settings.build_workers)
        self._db = Database(place.url, ef_search=settings.ef_search, statement_timeout_ms=0)
        self._db.open()
        self._name = place.collection
        self._settings, self._url = settings, place.url
        self._found: Collection | None = None
        self._built = 0
        self._opened: Context | None = None

    @property
    def _collection(self) -> Collection:
        if self._found is None:
            self._found = collections.get(self._db, self._name)
        return self._found

    @property
    def _context(self) -> Context:
        """The services; made where they are asked for, as they take memory that a search alone does not."""
        if self._opened is None:
            self._opened = create_context(self._settings, self._url)
            self._opened.open()
        return self._opened

    def version(self) -> str:
        """Return the versions of PostgreSQL and pgvector."""
        return self._db.read(check_versions)

    def build(self, stock: Stock) -> None:
        """Copy all records, build the index and that of the price."""
        self.copy(stock)
        self.index()
        self._built = stock.shape[0]

    def copy(self, stock: Stock) -> None:
        """Copy all records into the collection, as a bulk load does."""
        for part in stock.parts(_PART):
            rows = [
                NewRecord(str(number), dumps({"price": price, "category": category}), vector)
                for number, vector, price, category in zip(
                    part.numbers, part.vectors, part.prices, part.categories, strict=True
                )
            ]
            loads.copy(self._db, self._collection, rows)

    def index(self) -> None:
        """Build the index of the vectors and that of the price."""
        indexes.build_hnsw(self._db, self._collection, self._resources)
        indexes.declare_field(self._db, self._collection, "price")

    def open(self) -> None:
        """Read what is known of the collection."""
        self._found = collections.get(self._db, self._name)

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers; the filter is read and compiled as that of a request is."""
        where = NO_FILTER
        if condition is not None:
            node = parse_filter(condition.filter)
            where = compile_filter(node, indexed_fields=self._collection.indexed_fields, table="r")
        target = Query(self._collection, Window(k), Fields(), where, effort=effort)
        return [int(one.id) for one in answered(self._db, target, query).records]

    def refined(self, way: str, query: Vector, k: int, condition: Condition | None) -> list[int]:
        """Answer what a request with `facets`, `radius`, `diversity` or `groups` asks for."""
        context, filter_ = self._context, {} if condition is None else condition.filter
        if way == FACET:
            counted = facets.count(context, self._collection, facets_of(["category"]), filter_)
            return sorted((one["count"] for one in orjson.loads(counted.facets["category"])["values"]), reverse=True)
        asked = Query(self._collection, Window(k), Fields()).near(query)
        if way == CUTOFF:
            radius = NOTHING * self._collection.distance_scale
            return [int(one.id) for one in qualified.nearest_to(context, replace(asked, radius=radius)).records]
        if way == VARIED:
            refinement = Refinement(diversity=DIVERSITY, candidates=CANDIDATES)
            return [int(one.id) for one in qualified.search(context, asked, refinement, filter_).records]
        grouped = qualified.search(
            context, replace(asked, product_field="category"), Refinement(group_size=GROUP), filter_
        )
        groups = grouped.beside.groups if grouped.beside else None
        return [int(one.id) for group in groups or () for one in group.records]

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Merge the price into the attributes, in one transaction."""
        patch = Patch(dumps({"price": price}), "[]")
        patches = {str(number): patch for number in numbers}
        self._db.write(lambda connection: records.update(connection, self._collection, patches, Fields()))

    def footprint(self) -> Footprint:
        """Return what the collection's table and the connection take."""
        graph = (self.graph_bytes() or 0.0) * self._built if self._built else 0.0
        found = self._db.read(lambda connection: footprint(connection, self._table))
        return Footprint(found.disk, found.memory_elsewhere + round(graph))

    def graph_bytes(self) -> float | None:
        """Return the memory that a record takes while the index is built, None where there are too few to tell."""
        with self._db.session() as connection:
            return graph_bytes(connection, self._table, f"embedding::halfvec({self._collection.dimensions:d})")

    @property
    def _table(self) -> str:
        return f"lookalike.{self._collection.records_table}"

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()
        self._db.close()
