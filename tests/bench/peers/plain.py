"""pgvector by hand: the table, indexes and statements that its documentation shows, on the same PostgreSQL."""

from collections.abc import Sequence

from pgvector import HalfVector
from pgvector.psycopg import register_vector

from app.db.engine import connect
from app.db.versions import check_versions
from app.domain.jsontext import dumps
from tests.bench.peers.base import EF_CONSTRUCTION, Footprint, M, Place, Stock, Vector
from tests.bench.peers.postgres import footprint, graph_bytes
from tests.bench.shop import Condition

TABLE = "public.bench_by_hand"
DROP = f"DROP TABLE IF EXISTS {TABLE}"
_PART = 5000
_CREATE = f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, attributes jsonb NOT NULL, embedding halfvec({{dimensions}}))"
_INDEXES = (
    (
        f"CREATE INDEX ON {TABLE} USING hnsw (embedding halfvec_cosine_ops)"
        f" WITH (m = {M}, ef_construction = {EF_CONSTRUCTION})"
    ),
    f"CREATE INDEX ON {TABLE} USING gin (attributes jsonb_path_ops)",
    f"CREATE INDEX ON {TABLE} (((attributes ->> 'price')::double precision))",
)
_UPDATE = f"""
    UPDATE {TABLE} SET attributes = attributes || jsonb_build_object('price', %s::double precision)
    WHERE id = ANY (%s::bigint[])
"""


class Engine:
    """One table, one connection."""

    filters = True
    durable: str | None = "committed, synced"

    def __init__(self, place: Place) -> None:
        self._connection = connect(place.url)
        self._connection.autocommit = True
        register_vector(self._connection)
        self._effort: int | None = None
        self._built = 0

    def version(self) -> str:
        """Return the versions of PostgreSQL and pgvector."""
        return check_versions(self._connection)

    def build(self, stock: Stock) -> None:
        """Copy all records, then build every index."""
        self._connection.execute(DROP)
        self._connection.execute(_CREATE.format(dimensions=f"{stock.shape[1]:d}"))
        with self._connection.cursor().copy(f"COPY {TABLE} FROM STDIN WITH (FORMAT BINARY)") as stream:
            stream.set_types(["bigint", "jsonb", "halfvec"])
            for part in stock.parts(_PART):
                for number, vector, price, category in zip(
                    part.numbers, part.vectors, part.prices, part.categories, strict=True
                ):
                    stream.write_row((number, {"price": price, "category": category}, HalfVector(vector)))
        for statement in _INDEXES:
            self._connection.execute(statement)
        self._connection.execute(f"VACUUM ANALYZE {TABLE}")
        self._built = stock.shape[0]

    def open(self) -> None:
        """Set the iterative scan that pgvector's documentation advises for filters."""
        self._connection.execute("SET hnsw.iterative_scan = relaxed_order")

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the nearest records' numbers."""
        if effort is not None and effort != self._effort:
            self._connection.execute("SELECT set_config('hnsw.ef_search', %s, false)", (str(effort),))
            self._effort = effort
        where, values = _where(condition)
        text = f"SELECT id FROM {TABLE} WHERE {where} ORDER BY embedding <=> %s LIMIT %s"
        rows = self._connection.execute(text, (*values, HalfVector(query), k), binary=True).fetchall()
        return [row["id"] for row in rows]

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Set the price in the attributes, in one statement."""
        self._connection.execute(_UPDATE, (price, list(numbers)))

    def footprint(self) -> Footprint:
        """Return what the table and the connection take."""
        found = footprint(self._connection, TABLE)
        graph = (graph_bytes(self._connection, TABLE, "embedding") or 0.0) * self._built if self._built else 0.0
        return Footprint(found.disk, found.memory_elsewhere + round(graph))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _where(condition: Condition | None) -> tuple[str, list[object]]:
    if condition is None:
        return "TRUE", []
    parts: list[str] = []
    values: list[object] = []
    if condition.category is not None:
        parts.append("attributes @> %s::jsonb")
        values.append(dumps({"category": condition.category}))
    if condition.below is not None:
        parts.append("(attributes ->> 'price')::double precision < %s")
        values.append(condition.below)
    return " AND ".join(parts), values
