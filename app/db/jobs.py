"""Jobs in the database: made, given to one worker at a time, told of, paused, resumed, cancelled.

A worker holds a job as long as it says every few seconds that it lives; one that does not loses it to another. Each
that takes it counts `attempt` up, and writes only while that is still its own: a worker that was taken for dead cannot
write anything behind its successor's back.
"""

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, NamedTuple, NoReturn

from psycopg.types.json import Jsonb

from app.db import locks
from app.db.engine import Connection, Database, Row
from app.db.loader import query
from app.domain.errors import InvalidRequest
from app.domain.jobs import Cancelled, Checkpoint, Job, Lost, NewJob, Progress, Reject, State
from app.domain.jsontext import dumps
from app.domain.records import Json


class Held(NamedTuple):
    """A worker's hold on a job: lost once another number is stored."""

    id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Sight:
    """Jobs that may be seen: those of these collections, and those of a token; None for `collections`: all."""

    collections: frozenset[int] | None = None
    token_id: int | None = None


EVERYTHING = Sight()


def create(db: Database, new: NewJob) -> tuple[int, bool]:
    """Make a job; return its id, and whether it was made now: not where its idempotency key is known already.

    Raises:
        InvalidRequest: something else was asked for under this idempotency key.

    """
    asked = (new.kind, new.collection_id, dict(new.parameters), (new.source_digest or b"").hex())
    digest = sha256(dumps(asked).encode()).digest()
    values = {
        **asdict(new),
        "parameters": Jsonb(dict(new.parameters), dumps),
        "request_digest": digest,
    }

    def work(connection: Connection) -> Row | None:
        row = connection.execute(query("jobs", "create").render(), values).fetchone()
        if row is not None:
            _ring(connection, int(row["id"]))
        return row

    if (made := db.write(work)) is not None:
        return int(made["id"]), True
    known = db.one(query("jobs", "by_key").render(), {"idempotency_key": new.idempotency_key, "token_id": new.token_id})
    if known is None or known["request_digest"] != digest:
        raise InvalidRequest("this idempotency key was used for another job: take a new one for each thing to be done")
    return int(known["id"]), False


def find(
    db: Database,
    sight: Sight = EVERYTHING,
    *,
    job_id: int | None = None,
    states: Some[State] | None = None,
    kinds: Some[str] | None = None,
    collection_id: int | None = None,
    before: int | None = None,
    most: int = 1,
) -> list[Job]:
    """Return jobs, the latest first: at most so many, older than the one with the id `before`."""
    values = {
        "id": job_id,
        "states": None if states is None else [str(state) for state in states],
        "kinds": None if kinds is None else list(kinds),
        "collection_id": collection_id,
        "collections": None if sight.collections is None else sorted(sight.collections),
        "token_id": sight.token_id,
        "before": before,
        "most": most,
    }
    return [_job(row) for row in db.all(query("jobs", "find").render(), values)]


def name_of(db: Database, collection_id: int) -> str | None:
    """Return the name that a collection has now; None where it was dropped."""
    row = db.one(query("jobs", "name_of").render(), {"id": collection_id})
    return None if row is None else str(row["name"])


def claim(
    db: Database, worker: str, kinds: Sequence[str], lease_seconds: float, job_id: int | None = None
) -> Held | None:
    """Take the next job of these kinds, or the one with this id; None where none is to be had now.

    A job whose worker was not heard of for `lease_seconds` is taken over. Of a collection's jobs of one kind, one is
    done at a time.
    """
    values: dict[str, object] = {"worker": worker, "kinds": list(kinds), "lease_seconds": lease_seconds, "id": job_id}

    def work(connection: Connection) -> tuple[bool, Held | None]:
        row = connection.execute(query("jobs", "candidate").render(), values).fetchone()
        if row is None:
            return False, None
        # Two workers may have looked at one moment, each for another job: the second sees what the first has begun.
        what = f"{row['kind']} {row['collection_id']}"
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.JOB, what))
        taken = connection.execute(query("jobs", "claim").render(), {"id": row["id"], "worker": worker}).fetchone()
        return True, None if taken is None else Held(int(taken["id"]), int(taken["attempt"]))

    while True:
        there, held = db.write(work, aside=True)
        if held is not None or not there:
            return held


def still_waits(db: Database, job_id: int, worker: str) -> None:
    """Say that the only worker that may begin a job is there, and waits for its turn."""
    db.write(lambda one: one.execute(query("jobs", "wait").render(), {"id": job_id, "worker": worker}), aside=True)


def tidy(db: Database, lease_seconds: float, days: int) -> None:
    """Take jobs from workers that are no more where nobody goes on with them; forget those that ended `days` ago."""

    def work(connection: Connection) -> None:
        for row in connection.execute(query("jobs", "sweep").render(), {"lease_seconds": lease_seconds}).fetchall():
            _ring(connection, int(row["id"]))
        connection.execute(query("jobs", "purge").render(), {"days": days})

    db.write(work, aside=True)


class Look(NamedTuple):
    """A worker sees this of its job: `lost` to another worker, or `revoked`, as the token that asked for it was."""

    state: State
    lost: bool
    revoked: bool


def look(db: Database, held: Held) -> Look:
    """Return what became of a job that a worker holds, or held."""
    row = db.one(query("jobs", "look").render(), {"id": held.id})
    if row is None:
        return Look(State.CANCELLED, lost=True, revoked=False)
    return Look(
        State(row["state"]), lost=row["attempt"] != held.attempt or not row["held"], revoked=bool(row["revoked"])
    )


def beat(db: Database, held: Held, progress: Progress) -> None:
    """Say that a worker lives, and how far its job is. Waits for nobody: not for a checkpoint that is being written."""
    db.write(lambda one: one.execute(query("jobs", "beat").render(), _values(held, progress)), aside=True)


def checkpoint(connection: Connection, held: Held, position: Json, progress: Progress) -> None:
    """Note where another worker would go on, inside the transaction that writes the rows up to there.

    Raises:
        Lost: another worker has taken the job over; the transaction is to be rolled back.
        Cancelled: it was cancelled; likewise.

    """
    point = Checkpoint(position, progress.done, progress.bytes, progress.indexed)
    values = {**_values(held, progress), "checkpoint": Jsonb(asdict(point), dumps)}
    if connection.execute(query("jobs", "checkpoint").render(), values).fetchone() is None:
        _refused(connection, held)


def _refused(connection: Connection, held: Held) -> NoReturn:
    row = connection.execute(query("jobs", "look").render(), {"id": held.id}).fetchone()
    if row is not None and row["attempt"] == held.attempt and row["state"] == State.CANCELLED:
        raise Cancelled
    raise Lost


def finish(
    db: Database, held: Held, state: State, progress: Progress, outcome: Json = None, error: str | None = None
) -> bool:
    """End a job in a final state; return False where it was cancelled, or taken over, before."""
    values = {**_values(held, progress), "state": str(state), "outcome": Jsonb(outcome, dumps), "error": error}
    return _changed(db, "finish", held.id, values)


def release(db: Database, held: Held) -> bool:
    """Let go of a job: it pauses where that was asked for, else it is queued again."""
    return _changed(db, "release", held.id, {"id": held.id, "attempt": held.attempt})


def pause(db: Database, job_id: int) -> bool:
    """Ask for a pause; return False where the job is in no state for that."""
    return _changed(db, "pause", job_id, {"id": job_id})


def resume(db: Database, job_id: int, reserved: str | None = None) -> bool:
    """Let a job go on, for any worker or only for one; return False where it is in no state for that."""
    return _changed(db, "resume", job_id, {"id": job_id, "reserved": reserved})


def cancel(db: Database, job_id: int) -> bool:
    """End a job for good; return False where it is in no state for that."""
    return _changed(db, "cancel", job_id, {"id": job_id})


def reject(connection: Connection, held: Held, rejects: Sequence[Reject]) -> None:
    """Note records that a job could not take, and count them; one whose line is noted already stays as it is.

    Raises:
        Lost: another worker has taken the job over; the transaction is to be rolled back.
        Cancelled: it was cancelled; likewise.

    """
    values = {
        **held._asdict(),
        "lines": [one.line for one in rejects],
        "ids": [one.id for one in rejects],
        "codes": [one.code for one in rejects],
        "reasons": [one.reason for one in rejects],
        "sources": [one.source for one in rejects],
    }
    if connection.execute(query("jobs", "reject").render(), values).fetchone() is None:
        _refused(connection, held)


def asked_for_by_others(db: Database, job_id: int, source_digest: bytes) -> bool:
    """Say whether another job reads the same source, or may yet."""
    row = db.one(query("jobs", "asked_for_by_others").render(), {"id": job_id, "source_digest": source_digest})
    return bool(row and row["asked"])


def rejects(db: Database, job_id: int, after: int, most: int) -> list[Reject]:
    """Return what a job could not take, in the order of the lines, at most so many after a line."""
    rows = db.all(query("jobs", "rejects").render(), {"job_id": job_id, "after": after, "most": most})
    return [Reject(**row) for row in rows]


def seen(db: Database, worker: str) -> None:
    """Say that a worker that takes jobs of any kind is there."""
    db.write(lambda one: one.execute(query("jobs", "seen").render(), {"name": worker}), aside=True)


def left(db: Database, worker: str) -> None:
    """Say that a worker takes no more jobs."""
    db.write(lambda one: one.execute(query("jobs", "left").render(), {"name": worker}), aside=True)


def workers(db: Database, lease_seconds: float) -> list[str]:
    """Return the names of the workers that were seen within so many seconds."""
    return [row["name"] for row in db.all(query("jobs", "workers").render(), {"lease_seconds": lease_seconds})]


def _changed(db: Database, name: str, job_id: int, values: Mapping[str, object]) -> bool:
    def work(connection: Connection) -> bool:
        row = connection.execute(query("jobs", name).render(), values).fetchone()
        if row is not None:
            _ring(connection, job_id)
        return row is not None

    return db.write(work)


def _ring(connection: Connection, job_id: int) -> None:
    connection.execute(query("jobs", "ring").render(), {"id": job_id})


def _values(held: Held, progress: Progress) -> dict[str, Any]:
    return {**held._asdict(), **asdict(progress)}


def _job(row: Row) -> Job:
    parts = {name: row.pop(name) for name in Progress.__dataclass_fields__}
    point = row.pop("checkpoint")
    return Job(
        **{
            **row,
            "state": State(row["state"]),
            "progress": Progress(**parts),
            "checkpoint": None if point is None else Checkpoint(**point),
        }
    )
