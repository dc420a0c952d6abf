"""Jobs as they are asked for: made, told of, paused, resumed, cancelled, by whoever may."""

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as Some

from app.db import jobs as job_table
from app.db.jobs import EVERYTHING, Held, Sight
from app.domain.collections import Collection
from app.domain.errors import Forbidden, InvalidRequest
from app.domain.jobs import Job, JobNotFound, NewJob, Reject, State, check_change
from app.domain.records import Json
from app.domain.tokens import Principal, Scope
from app.services.context import Context
from app.services.jobs.kind import Kind
from app.services.jobs.kinds import KINDS
from app.services.jobs.working import USUAL

__all__ = ["EVERYTHING", "Sight", "cancel", "get", "listed", "pause", "rejects", "resume", "sight_of", "start", "wait"]

_PAGE = 500
_LONGEST_KEY = 255


def sight_of(principal: Principal, scope: Scope) -> Sight:
    """Return the jobs that the holder of a token may see; to write is to start, pause, resume and cancel them.

    Raises:
        Forbidden: the token may not do this at all.

    """
    principal.check_scope(scope)
    return Sight(principal.collections, principal.token_id)


def kind_of(name: object) -> Kind:
    """Return a kind of job by its name.

    Raises:
        InvalidRequest: there is none.

    """
    if not isinstance(name, str) or name not in KINDS:
        raise InvalidRequest(f"the kinds of jobs are {', '.join(sorted(KINDS))}")
    return KINDS[name]


def start(
    context: Context,
    kind: Kind,
    collection: Collection | None,
    parameters: Mapping[str, Json],
    *,
    principal: Principal | None = None,
    idempotency_key: str | None = None,
    source_digest: bytes | None = None,
    reserved: str | None = None,
    local: bool = False,
    priority: int = 0,
    total: int | None = None,
) -> tuple[Job, bool]:
    """Make a job; return it, and whether it was made now: not where it was under this idempotency key already.

    Args:
        context: the services.
        kind: what is to be done.
        collection: on which collection.
        parameters: what the kind's `check` takes.
        principal: the holder of the token that asks for it; None for the command line.
        idempotency_key: 1 to 255 bytes; asked again with it, the token gets the same job.
        source_digest: SHA-256 of what is read.
        reserved: the only worker that may begin it.
        local: whether it needs the machine of the command that asks for it.
        priority: greater ones are begun first.
        total: the number of records, where it is known already.

    Raises:
        InvalidRequest: a parameter is wrong, or the idempotency key belongs to something else.
        Forbidden: the token may not do this.

    """
    if kind.of_collection and collection is None:
        raise InvalidRequest(f"name the collection of a job of the kind {kind.name!r}")
    if principal is not None:
        _check_rights(kind, collection, principal)
    if idempotency_key is not None and not 1 <= len(idempotency_key.encode()) <= _LONGEST_KEY:
        raise InvalidRequest(f"an idempotency key has 1 to {_LONGEST_KEY} bytes")
    new = NewJob(
        kind=kind.name,
        collection_id=None if collection is None else collection.id,
        collection=None if collection is None else collection.name,
        parameters=kind.check(context, collection, parameters),
        token_id=None if principal is None else principal.token_id,
        idempotency_key=idempotency_key,
        source_digest=source_digest,
        reserved=reserved,
        local=local,
        priority=priority,
        total=total,
    )
    job_id, made = job_table.create(context.db, new)
    return get(context, job_id), made


def _check_rights(kind: Kind, collection: Collection | None, principal: Principal) -> None:
    if collection is not None:
        principal.require(Scope.WRITE, collection.id)
    if collection is None or kind.for_all:
        if principal.collections is not None:
            raise Forbidden("this token has its own collections, and this job is for all of them")
        principal.check_scope(Scope.ADMIN)


def get(context: Context, job_id: int, sight: Sight = EVERYTHING) -> Job:
    """Return a job as it is now.

    Raises:
        JobNotFound: there is none, or none that may be seen.

    """
    found = job_table.find(context.db, sight, job_id=job_id) if job_id < 2**63 else []
    if not found:
        raise JobNotFound(f"there is no job {job_id}")
    return found[0]


def listed(
    context: Context,
    sight: Sight = EVERYTHING,
    *,
    states: Some[State] | None = None,
    kinds: Some[str] | None = None,
    collection_id: int | None = None,
    before: int | None = None,
    most: int = 100,
) -> list[Job]:
    """Return jobs, the latest first: so many at most, made before the one with the id `before`."""
    return job_table.find(
        context.db, sight, states=states, kinds=kinds, collection_id=collection_id, before=before, most=most
    )


def wait(context: Context, job_id: int, sight: Sight, seconds: float) -> Job:
    """Return a job as soon as its state is another than now, or after so many seconds; at once if it has ended.

    Raises:
        JobNotFound: there is none, or none that may be seen.

    """
    until = time.monotonic() + seconds
    rings = context.bell.rings
    job = first = get(context, job_id, sight)
    while (
        not job.ended
        and job.state == first.state
        and not context.bell.silent
        and (left := until - time.monotonic()) > 0
    ):
        context.bell.wait(rings, left)
        rings = context.bell.rings
        job = get(context, job_id, sight)
    return job


def pause(context: Context, job_id: int, sight: Sight = EVERYTHING) -> Job:
    """Have a job pause at its next safe point; nothing changes where it pauses already.

    Raises:
        JobNotFound: there is none, or none that may be seen.
        InvalidRequest: it has ended.

    """
    return _changed(context, job_id, sight, State.PAUSED, {State.PAUSING}, lambda: job_table.pause(context.db, job_id))


def resume(context: Context, job_id: int, sight: Sight = EVERYTHING, reserved: str | None = None) -> Job:
    """Have a job go on that is paused or has failed; nothing changes where it is queued or runs.

    Raises:
        JobNotFound: there is none, or none that may be seen.
        InvalidRequest: it is done or was cancelled, or it needs the machine of the command that asked for it.

    """
    job = get(context, job_id, sight)
    if job.local and reserved is None and job.state not in (State.QUEUED, State.RUNNING):
        raise InvalidRequest(
            f"job {job_id} reads or writes files of the machine on which it was begun: run the same command there again"
        )
    return _changed(
        context, job_id, sight, State.QUEUED, {State.RUNNING}, lambda: job_table.resume(context.db, job_id, reserved)
    )


def cancel(context: Context, job_id: int, sight: Sight = EVERYTHING) -> Job:
    """End a job for good: when this returns, it writes nothing more. What it wrote stays.

    Raises:
        JobNotFound: there is none, or none that may be seen.
        InvalidRequest: it is done.

    """
    return _changed(context, job_id, sight, State.CANCELLED, set(), lambda: job_table.cancel(context.db, job_id))


def end(context: Context, job: Job) -> None:
    """Cancel a job, and take it from its worker, which is known to be no more."""
    job_table.cancel(context.db, job.id)
    if job.worker is not None:
        let_go(context, job)


def let_go(context: Context, job: Job) -> None:
    """Take a job from its worker, which is known to be no more: it is queued, or pauses where it needs its machine."""
    job_table.release(context.db, Held(job.id, job.attempt))


def _changed(
    context: Context, job_id: int, sight: Sight, wanted: State, also: set[State], change: Callable[[], bool]
) -> Job:
    job = get(context, job_id, sight)
    if not change():
        job = get(context, job_id, sight)
        if job.state not in {wanted, *also}:
            check_change(job, wanted)
    context.bell.ring()
    return get(context, job_id, sight)


def rejects(context: Context, job_id: int, sight: Sight = EVERYTHING) -> Iterator[Reject]:
    """Yield what a job could not take, in the order of the lines; memory holds some hundred of them.

    Raises:
        JobNotFound: there is none, or none that may be seen.

    """
    get(context, job_id, sight)
    after = 0
    while found := job_table.rejects(context.db, job_id, after, _PAGE):
        yield from found
        after = found[-1].line


def workers_alive(context: Context) -> list[str]:
    """Return the names of the workers that take jobs of any kind."""
    return job_table.workers(context.db, USUAL.lease)
