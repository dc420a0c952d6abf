"""LanceDB in the process, kept in a folder."""

import importlib
from collections.abc import Sequence
from typing import Any

from tests.bench.peers.base import EF_CONSTRUCTION, Footprint, M, Part, Place, Stock, Vector, folder_bytes, versions
from tests.bench.shop import Condition

_NAME = "bench"
_PART = 20_000
# Scalar quantisation ranks within a percent or so: twice as many are ranked anew by their vectors, as its guide has it.
_REFINE = 2


class Engine:
    """One table with a vector index and scalar indexes on what is filtered and updated by."""

    filters = True
    durable: str | None = "files, not synced"

    def __init__(self, place: Place) -> None:
        self._arrow: Any = importlib.import_module("pyarrow")
        lance: Any = importlib.import_module("lancedb")
        self._folder = place.folder
        self._database = lance.connect(str(place.folder))
        self._table: Any = None

    def version(self) -> str:
        """Return the version that is installed."""
        return versions("lancedb")

    def build(self, stock: Stock) -> None:
        """Store and index all records."""
        for part in stock.parts(_PART):
            rows = self._rows(part)
            if self._table is None:
                self._table = self._database.create_table(_NAME, rows)
            else:
                self._table.add(rows)
        self._table.create_index(
            "cosine", num_partitions=1, index_type="IVF_HNSW_SQ", m=M, ef_construction=EF_CONSTRUCTION
        )
        self._table.create_scalar_index("number")
        self._table.create_scalar_index("price")
        self._table.create_scalar_index("category", index_type="BITMAP")
        self._table.optimize()

    def _rows(self, part: Part) -> Any:
        arrow = self._arrow
        vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(part.vectors.ravel()), part.vectors.shape[1])
        return arrow.table(
            {
                "number": arrow.array(part.numbers, arrow.int64()),
                "price": part.prices,
                "category": part.categories,
                "vector": vectors,
            }
        )

    def open(self) -> None:
        """Open the table."""
        self._table = self._database.open_table(_NAME)

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers."""
        asked = self._table.search(query).distance_type("cosine").nprobes(1).refine_factor(_REFINE).limit(k)
        if effort is not None:
            asked = asked.ef(effort)
        if condition is not None:
            asked = asked.where(_where(condition), prefilter=True)
        found: list[int] = asked.select(["number", "_distance"]).to_arrow()["number"].to_pylist()
        return found

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Set the price: one record by its number, many by a merge."""
        if len(numbers) == 1:
            self._table.update(where=f"number = {numbers[0]:d}", values={"price": price})
            return
        changed = self._arrow.table(
            {"number": self._arrow.array(numbers, self._arrow.int64()), "price": [price] * len(numbers)}
        )
        self._table.merge_insert("number").when_matched_update_all().execute(changed)

    def footprint(self) -> Footprint:
        """Return the bytes of the folder."""
        return Footprint(folder_bytes(self._folder))

    def close(self) -> None:
        """Do nothing: a table has nothing to be closed."""


def _where(condition: Condition) -> str:
    parts = []
    if condition.below is not None:
        parts.append(f"price < {condition.below!r}")
    if condition.category is not None:
        parts.append("category = '{}'".format(condition.category.replace("'", "''")))
    return " AND ".join(parts)
