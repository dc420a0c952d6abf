"""The costs of a search's steps are measured on the live database, on a table of its own, which is gone afterwards."""

import statistics
import time
from dataclasses import dataclass

from psycopg import sql

from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.collections import SearchCosts

_ROWS = 10_000
_TIMES = 9
_TENTH = 10  # values of the attribute that is filtered: a match every so many rows
_SHORT, _LONG = 100, 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """The costs at one number of dimensions."""

    dimensions: int
    costs: SearchCosts


def dimensions_in_use(db: Database) -> list[int]:
    """Return the dimensions of the collections, ascending; 256, the default model's, where there is none."""
    rows = db.all(query("search_costs", "dimensions").render())
    return [int(row["dimensions"]) for row in rows] or [256]


def measure(db: Database, dimensions: int) -> Measured:
    """Measure the costs at one number of dimensions and store them; takes seconds.

    Raises:
        Unavailable: the database is away.

    """
    with db.session() as connection:
        _fill(connection, dimensions)
        measured = Measured(dimensions, _measure(connection, dimensions))
        values = {
            "dimensions": dimensions,
            "distance_us": measured.costs.distance_us,
            "match_us": measured.costs.match_us,
            "candidate_us": measured.costs.candidate_us,
        }
        connection.execute(query("search_costs", "store").render(), values)
    return measured


def _fill(connection: Connection, dimensions: int) -> None:
    """Make a temporary table laid out as records are, with both kinds of index."""
    connection.execute(
        "CREATE TEMPORARY TABLE calibration (id text, attributes jsonb, embedding halfvec)"
        " WITH (toast_tuple_target = 4080)"
    )
    # Unit vectors around 100 centres: a graph of mere noise is walked at another cost than one of pictures.
    connection.execute(
        """
        WITH centres AS MATERIALIZED (
            SELECT c, array_agg(random() - 0.5) AS centre
            FROM generate_series(0, 99) AS c, generate_series(1, %(dimensions)s) GROUP BY c
        )
        INSERT INTO calibration
        SELECT 'r' || n, jsonb_build_object('tenth', n %% %(tenth)s, 'n', n, 'text', repeat(md5(n::text), 8)),
               l2_normalize((SELECT array_agg(x + 0.4 * (random() - 0.5)) FROM unnest(centre) AS x)::real[]::halfvec)
        FROM generate_series(1, %(rows)s) AS n JOIN centres ON centres.c = n %% 97
        """,
        {"dimensions": dimensions, "tenth": _TENTH, "rows": _ROWS},
    )
    connection.execute("CREATE INDEX ON calibration USING gin (attributes jsonb_path_ops)")
    connection.execute(
        sql.SQL(
            "CREATE INDEX ON calibration USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops)"
            " WITH (m = 16, ef_construction = 64)"
        ).format(sql.Literal(dimensions))
    )
    connection.execute("ANALYZE calibration")


def _measure(connection: Connection, dimensions: int) -> SearchCosts:
    connection.execute("SET max_parallel_workers_per_gather = 0")
    vector = sql.SQL("(SELECT q.embedding::halfvec({0}) FROM calibration AS q WHERE q.id = 'r1')").format(
        sql.Literal(dimensions)
    )
    read = _seconds(connection, sql.SQL("SELECT count(embedding) FROM calibration"))
    compared = _seconds(connection, sql.SQL("SELECT min(embedding <=> {}) FROM calibration").format(vector))
    matched = _seconds(
        connection, sql.SQL("SELECT count(embedding) FROM calibration WHERE attributes @> '{\"tenth\": 3}'")
    )
    short, long = (_seconds(connection, _walk(vector, dimensions, limit)) for limit in (_SHORT, _LONG))
    return SearchCosts(
        distance_us=_microseconds(compared - read, _ROWS),
        match_us=_microseconds(matched, _ROWS // _TENTH),
        candidate_us=_microseconds(long - short, _LONG - _SHORT),
    )


def _walk(vector: sql.Composed, dimensions: int, limit: int) -> sql.Composed:
    return sql.SQL(
        "SELECT count(*) FROM (SELECT FROM calibration ORDER BY embedding::halfvec({}) <=> {} LIMIT {}) AS walked"
    ).format(sql.Literal(dimensions), vector, sql.Literal(limit))


def _seconds(connection: Connection, statement: sql.SQL | sql.Composed) -> float:
    """Return the median time of a statement, after one that is not counted."""
    times = []
    for _ in range(_TIMES + 1):
        started = time.perf_counter()
        connection.execute(statement).fetchall()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _microseconds(seconds: float, number: int) -> float:
    # A busy machine may make a difference of two times vanish; no step is free.
    return max(0.01, seconds * 1e6 / number)
