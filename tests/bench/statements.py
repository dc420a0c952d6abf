"""The SQL functions as an analyst calls them: one statement at a time, on a plain connection like psql's."""

from statistics import median

import numpy as np

from app.db.engine import Connection, connect
from tests.bench.recall import Filled
from tests.bench.report import Table, Target
from tests.bench.serving import ids
from tests.bench.setup import Setup, Stopwatch
from tests.bench.vectors import Crops

_WARM_UP = 5
_ASKED = 200
_WANTED_MS = 10.0
_TARGET = "like X, cheaper than 500, one of each category"
_STATEMENTS = {
    "20 neighbours": "SELECT n.id, n.distance FROM lookalike.knn(%(name)s, %(id)s, 20) AS n",
    _TARGET: """
        SELECT b.* FROM (
            SELECT DISTINCT ON (n.attributes ->> 'category') n.id, n.distance, n.attributes ->> 'category' AS category
            FROM lookalike.knn(%(name)s, %(id)s, 200, '{"price": {"$lt": 500}}') AS n
            ORDER BY n.attributes ->> 'category', n.distance
        ) AS b ORDER BY b.distance LIMIT 20""",
    "20 neighbours of 1 % (price under 10)": """
        SELECT n.id, n.distance FROM lookalike.knn(%(name)s, %(id)s, 20, '{"price": {"$lt": 10}}') AS n""",
    "all within radius 5": "SELECT n.id, n.distance FROM lookalike.within(%(name)s, %(id)s, 5) AS n",
}


def measure(setup: Setup, filled: Filled, crops: Crops) -> Table:
    """Ask each statement for different records, one after the other."""
    setup.tell("sql: the functions on a plain connection")
    chosen = ids(crops)
    rows = []
    targets = []
    with connect(setup.context.db.url) as connection:
        connection.autocommit = True
        for title, statement in _STATEMENTS.items():
            times = _times(connection, statement, filled.collection.name, chosen)
            middle = median(times)
            rows.append((title, f"{middle:.2f}", f"{float(np.quantile(times, 0.95)):.2f}"))
            if title == _TARGET:
                vectors = len(crops.stored)
                met = middle < _WANTED_MS and vectors >= 100_000
                figure = f"{middle:.1f} ms, {vectors:,} vectors"
                targets.append(Target(f"SQL: {title}", f"< {_WANTED_MS:.0f} ms, 100,000", figure, met))
    notes = ["With PostgreSQL's own settings, not the server's; the first calls of a connection are left out."]
    return Table("SQL: one statement, one client", ("statement", "p50 ms", "p95 ms"), rows, notes, targets)


def _times(connection: Connection, statement: str, name: str, chosen: list[str]) -> list[float]:
    times = []
    for number in range(_WARM_UP + _ASKED):
        watch = Stopwatch()
        connection.execute(statement, {"name": name, "id": chosen[number % len(chosen)]}).fetchall()
        times.append(watch.seconds * 1000)
    return times[_WARM_UP:]
