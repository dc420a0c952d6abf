"""The statement of a search that took longest, and the plan that PostgreSQL makes of it."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

from app.db.engine import Database
from app.db.search.statements import Statement

_ESTIMATES = {"rows": "Plan Rows", "cost": "Total Cost"}
_NAMES = {"index": "Index Name", "table": "Relation Name", "function": "Function Name"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that was sent: how long it took, in seconds, and when it ended, by `time.monotonic`."""

    statement: Statement
    seconds: float
    ended: float


_slowest: ContextVar[Sent | None] = ContextVar("slowest", default=None)


def begin() -> None:
    """Begin a search: what was sent before is none of its statements."""
    _slowest.set(None)


def note(statement: Statement, started: float) -> None:
    """Note a statement that has ended, where none of this search took longer; `started` is by `time.perf_counter`."""
    seconds = perf_counter() - started
    known = _slowest.get()
    if known is None or known.seconds < seconds:
        _slowest.set(Sent(statement, seconds, monotonic()))


def slowest(within_seconds: float) -> Sent | None:
    """Return the statement of this thread's last search that took longest, if it ended within so many seconds."""
    known = _slowest.get()
    return known if known is not None and monotonic() - known.ended <= within_seconds else None


def plan_of(db: Database, statement: Statement) -> dict[str, Any]:
    """Return the plan that PostgreSQL makes of a statement now; nothing is run, and no value of it is told.

    Of each step the kind, the index, table or function, the estimated rows and cost, and the steps below it. Left
    out are conditions, which have the values in them. Names of indexes on attributes are hashes.

    Raises:
        Unavailable: the database is away.

    """
    text = f"EXPLAIN (FORMAT JSON) {statement.text}"
    row = db.read(
        lambda lent: lent.execute(text, statement.values, prepare=False).fetchone(),
        generic=statement.generic or statement.prepare,
    )
    assert row is not None  # noqa: S101  (EXPLAIN answers one row)
    return _step(row["QUERY PLAN"][0]["Plan"])


def _step(node: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"step": node["Node Type"]}
    told |= {name: node[key] for name, key in {**_NAMES, **_ESTIMATES}.items() if key in node}
    if node.get("Plans"):
        told["of"] = [_step(one) for one in node["Plans"]]
    return told
