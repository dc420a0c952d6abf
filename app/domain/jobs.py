"""Jobs: long work that is asked for, goes on in the background, and is told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import orjson

from app.domain import statuses
from app.domain.errors import InvalidRequest, LookalikeError
from app.domain.records import Json


class State(StrEnum):
    """A job is in one of these states."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    DONE = "done"
    DONE_WITH_REJECTS = "done_with_rejects"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({State.DONE, State.DONE_WITH_REJECTS, State.FAILED, State.CANCELLED})
"""In these states a job does nothing more by itself."""

AFTER: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.PAUSED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.PAUSING, State.PAUSED, *ENDED}),
    State.PAUSING: frozenset({State.RUNNING, State.PAUSED, *ENDED}),
    State.PAUSED: frozenset({State.QUEUED, State.CANCELLED}),
    State.FAILED: frozenset({State.QUEUED, State.CANCELLED}),
    State.DONE: frozenset(),
    State.DONE_WITH_REJECTS: frozenset(),
    State.CANCELLED: frozenset(),
}
"""The states that may follow each. A running job is queued again where its worker hands it on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job is so far.

    `done` counts what is done with, of `total` (None: not known), both in records, or for an index in its rows; it
    never falls, and `rejected` are part of it. `bytes` were read of the source. `rate` is `done` a second, of late;
    None where it does not run. `indexed` is how many of the records an index holds, None where that is not told.
    """

    phase: str | None = None
    done: int = 0
    total: int | None = None
    rejected: int = 0
    bytes: int = 0
    rate: float | None = None
    indexed: int | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until `total` is reached at this rate; None where that cannot be told."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate

    def told(self) -> dict[str, Json]:
        """Return it as the API and `--json` tell it."""
        left = self.seconds_left
        return {
            "phase": self.phase,
            "done": self.done,
            "total": self.total,
            "rejected": self.rejected,
            "bytes": self.bytes,
            "rate": None if self.rate is None else round(self.rate, 3),
            "seconds_left": None if left is None else round(left, 1),
            "indexed": self.indexed,
        }


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Another worker goes on from here: a position that the kind of job understands, and the progress up to there."""

    position: Json
    done: int = 0
    bytes: int = 0
    indexed: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is stored.

    `collection` is the name that its collection had when it was made; `attempt` counts the workers that took it, and
    `worker` is who is at it. `reserved` is the only worker that may begin it, and `local` says that it needs the
    machine of its command. `outcome` is what the kind of job reports at the end, `error` why it failed.
    """

    id: int
    kind: str
    state: State
    progress: Progress
    collection_id: int | None
    collection: str | None
    parameters: Mapping[str, Json]
    checkpoint: Checkpoint | None
    outcome: Json
    error: str | None
    priority: int
    reserved: str | None
    local: bool
    worker: str | None
    attempt: int
    token_id: int | None
    source_digest: bytes | None
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether it does nothing more by itself."""
        return self.state in ENDED

    def told(self, *, whole: bool = True) -> dict[str, Json]:
        """Return it as the API and `--json` tell it; lists leave the outcome out, which may be long."""
        times = {name: getattr(self, name) for name in ("created_at", "started_at", "finished_at")}
        return {
            "id": str(self.id),
            "kind": self.kind,
            "state": str(self.state),
            "collection": self.collection,
            "progress": self.progress.told(),
            **{name: None if moment is None else moment.isoformat() for name, moment in times.items()},
            **({"outcome": self.outcome} if whole else {}),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job is asked for with these facts; `Job` says what each is.

    `idempotency_key`: whoever asks again with it gets the job that was made then.
    """

    kind: str
    collection_id: int | None = None
    collection: str | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)
    token_id: int | None = None
    idempotency_key: str | None = None
    source_digest: bytes | None = None
    reserved: str | None = None
    local: bool = False
    priority: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that a job could not take: where it stands, counted from 1, why, and as it came if that is kept."""

    line: int
    id: str | None
    code: int
    reason: str
    source: str | None = None

    def json(self) -> bytes:
        """Return it as a line of JSON; the source as the record that it is, where it is one."""
        source: object = self.source
        if self.source is not None:
            try:
                is_record = isinstance(orjson.loads(self.source), dict)
            except orjson.JSONDecodeError:
                is_record = False
            source = orjson.Fragment(self.source) if is_record else self.source
        told = {"line": self.line, "_id": self.id, "code": self.code, "reason": self.reason, "source": source}
        return orjson.dumps(told)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A kind of job reports what became of it: any JSON that says more than the progress does."""

    result: Json = None


class JobNotFound(LookalikeError):
    """There is no such job, or none that the token may see (404)."""

    status = statuses.JOB_NOT_FOUND


class Stopped(Exception):
    """A job's run ends here, and what it did since its last checkpoint is done again when it goes on."""


class Paused(Stopped):
    """It is to pause."""


class Cancelled(Stopped):
    """It was cancelled: nothing more may be written."""


class HandedBack(Stopped):
    """Its worker is to stop; another one goes on at once."""


class Lost(Stopped):
    """Another worker has taken the job over: nothing more may be written."""


def check_change(job: Job, wanted: State) -> None:
    """Check that a job may get to a state from the one that it is in.

    Raises:
        InvalidRequest: it may not.

    """
    if wanted not in AFTER[job.state]:
        change = "resumed" if wanted == State.QUEUED else wanted.replace("_", " ")
        raise InvalidRequest(f"job {job.id} is {job.state.replace('_', ' ')}: it cannot be {change}")
