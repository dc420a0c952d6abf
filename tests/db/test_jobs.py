"""Jobs on a real database: one worker at a time, nothing lost and nothing twice, whatever becomes of the workers."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import create_context
from app.config import Settings
from app.db import jobs as job_table
from app.domain.errors import InvalidRequest
from app.domain.jobs import AFTER, Cancelled, Job, JobNotFound, Lost, State
from app.domain.tokens import Principal, Scope
from app.services import collections, tokens
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.running import Running
from app.services.jobs.working import Worker, Workers
from tests.support.jobs import QUICK, Counting, busy, fail, stumble, until


@pytest.fixture(scope="module")
def context(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    made = create_context(Settings(home=tmp_path_factory.mktemp("home")), module_database_url)
    made.open()
    made.db.write(lambda one: one.execute("CREATE TABLE public.counted (job_id bigint, number integer)"))
    yield made
    made.close()


@pytest.fixture
def collection(context: Context, request: pytest.FixtureRequest) -> Iterator[Any]:
    made = collections.create(context, f"c{abs(hash(request.node.name))}", "photo")
    yield made
    for job in asking.listed(context, collection_id=made.id):
        job_table.cancel(context.db, job.id)


def ask(context: Context, collection: Any, counting: Counting, to: int = 12, **given: Any) -> Job:
    return asking.start(context, counting.kind, collection, {"to": to}, **given)[0]


def counted(context: Context, job: Job) -> list[int]:
    rows = context.db.all("SELECT number FROM public.counted WHERE job_id = %(id)s ORDER BY number", {"id": job.id})
    return [row["number"] for row in rows]


@pytest.fixture
def working(context: Context) -> Iterator[Callable[..., Workers]]:
    """Start workers, which are stopped at the end."""
    started: list[Workers] = []

    def start(*countings: Counting, number: int = 1) -> Workers:
        made = Workers(context, number, QUICK, [counting.kind for counting in countings])
        made.start()
        started.append(made)
        return made

    yield start
    for one in started:
        one.stop(10)
        one.join()


def ended(job: Job) -> bool:
    return job.ended


def test_a_job_is_done_and_tells_all_of_it(context: Context, collection: Any, working: Any) -> None:
    counting = Counting()
    job = ask(context, collection, counting)
    assert (job.state, job.progress.done, job.collection) == (State.QUEUED, 0, collection.name)
    working(counting)
    job = until(context, job.id, ended)
    assert job.state == State.DONE_WITH_REJECTS
    told = job.told()
    assert told["progress"] == {
        "phase": "counting",
        "done": 12,
        "total": 12,
        "rejected": 1,
        "bytes": 120,
        "rate": None,
        "seconds_left": None,
        "indexed": None,
    }
    assert (told["id"], told["outcome"], told["error"]) == (str(job.id), {"counted": 12}, None)
    assert counted(context, job) == [*range(1, 13)]
    assert [(one.line, one.id, one.code, one.reason, one.source) for one in asking.rejects(context, job.id)] == [
        (10, "10", 402, "a ten", '{"n": 10}')
    ]


def test_of_many_workers_one_does_each_job(context: Context, collection: Any, working: Any) -> None:
    others = [collections.create(context, f"race{number}", "photo") for number in range(3)]
    counting = Counting()
    jobs = [ask(context, one, counting, 7) for one in (collection, *others) for _ in range(5)]
    at_work: list[int] = []
    most: list[int] = []
    run = counting.run

    def watched(context: Context, job: Running) -> Any:
        at_work.append(int(job.job.collection_id or 0))
        most.append(max(at_work.count(one) for one in set(at_work)))
        try:
            return run(context, job)
        finally:
            at_work.remove(int(job.job.collection_id or 0))

    counting.run = watched  # type: ignore[method-assign]
    working(counting, number=6)
    for job in jobs:
        assert until(context, job.id, ended).state == State.DONE
        assert counted(context, job) == [*range(1, 8)]
    assert {asking.get(context, job.id).attempt for job in jobs} == {1}
    assert max(most) == 1  # of one collection's jobs of a kind, one at a time


def test_a_job_of_a_worker_that_is_gone_is_taken_over(context: Context, collection: Any, working: Any) -> None:
    counting = Counting()
    job = ask(context, collection, counting)
    lost = Worker(context, QUICK, [counting.kind])
    held = lost.take(job.id)
    assert held is not None
    gone = Running(context, held, asking.get(context, job.id))
    gone.phase("counting", 12)

    def write(connection: Any) -> None:
        connection.execute("INSERT INTO public.counted VALUES (%s, 1), (%s, 2)", (job.id, job.id))
        gone.checkpoint(connection, 2, done=2)

    context.db.write(write)
    gone.advance(6)  # what was shown and is done again: it does not fall
    job_table.beat(context.db, held, gone.progress)
    working(counting)
    shown = []
    while not (now := asking.get(context, job.id)).ended:
        shown.append(now.progress.done)
    assert now.attempt == 2
    assert shown == sorted(shown)
    assert shown[0] == 8
    assert counted(context, job) == [*range(1, 13)]
    with pytest.raises(Lost):  # it was only slow, and comes back
        context.db.write(write)
    assert counted(context, job) == [*range(1, 13)]
    assert not job_table.finish(context.db, held, State.DONE, gone.progress)


def test_workers_that_are_killed_lose_nothing_and_do_nothing_twice(
    context: Context, collection: Any, module_database_url: str
) -> None:
    job = ask(context, collection, Counting(), 300)
    shown, killed = [0], 0
    while not (now := asking.get(context, job.id)).ended:
        process = subprocess.Popen([sys.executable, "-m", "tests.support.jobs", module_database_url])
        try:
            wanted = shown[-1] + 100
            while not now.ended and now.progress.done < wanted:
                now = asking.get(context, job.id)
                shown.append(now.progress.done)
                assert process.poll() is None
        finally:
            process.kill()
            process.wait()
        killed += 1
    assert killed >= 2  # a busy machine may look seldom, and see more than a hundred more
    assert shown == sorted(shown)
    assert (now.state, now.progress.done, now.progress.rejected) == (State.DONE_WITH_REJECTS, 300, 30)
    assert counted(context, job) == [*range(1, 301)]
    assert [one.line for one in asking.rejects(context, job.id)] == [*range(10, 301, 10)]


def test_a_paused_job_goes_on_where_it_was(context: Context, collection: Any, working: Any) -> None:
    counting = Counting(gate=threading.Event(), at={5: lambda job: job.sleep(0.1)})
    job = ask(context, collection, counting)
    assert asking.pause(context, job.id).state == State.PAUSED  # from queued
    assert asking.pause(context, job.id).state == State.PAUSED
    assert asking.resume(context, job.id).state == State.QUEUED
    working(counting)
    until(context, job.id, lambda one: one.state == State.RUNNING)
    assert asking.resume(context, job.id).state == State.RUNNING
    assert asking.pause(context, job.id).state in {State.PAUSING, State.PAUSED}
    assert until(context, job.id, lambda one: one.state == State.PAUSED).worker is None
    assert counting.gate is not None
    counting.gate.set()
    asking.resume(context, job.id)
    assert until(context, job.id, ended).state == State.DONE_WITH_REJECTS
    assert counted(context, job) == [*range(1, 13)]
    for change in (asking.pause, asking.resume, asking.cancel):
        with pytest.raises(InvalidRequest, match="is done with rejects"):
            change(context, job.id)


@pytest.mark.parametrize("state", ["queued", "running", "pausing", "paused", "failed"])
def test_a_job_is_cancelled_in_any_state(context: Context, collection: Any, state: str) -> None:
    counting = Counting()
    job = ask(context, collection, counting)
    worker = Worker(context, QUICK, [counting.kind])
    held = worker.take(job.id) if state != "queued" else None
    if held is not None and state in {"pausing", "paused"}:
        asking.pause(context, job.id)
        if state == "paused":
            job_table.release(context.db, held)
    if held is not None and state == "failed":
        counting.at[1] = fail
        worker.do(held)
    assert asking.get(context, job.id).state == state
    assert asking.cancel(context, job.id).state == State.CANCELLED
    assert asking.cancel(context, job.id).state == State.CANCELLED
    if held is not None and state in {"running", "pausing"}:
        running = Running(context, held, asking.get(context, job.id))
        with pytest.raises(Cancelled):
            running.save(3, done=3)
        # It keeps its place until its worker knows, so that two never work on one collection.
        other = ask(context, collection, counting)
        assert Worker(context, QUICK, [counting.kind]).take(other.id) is None
        worker.do(held)
        assert asking.get(context, job.id).worker is None
        assert Worker(context, QUICK, [counting.kind]).take(other.id) is not None
    assert counted(context, job) == []
    with pytest.raises(InvalidRequest, match="is cancelled: it cannot be resumed"):
        asking.resume(context, job.id)


def test_a_failed_job_leaves_the_others_alone(context: Context, collection: Any, working: Any) -> None:
    bad = Counting(at={4: fail}, name="bad")
    worse = Counting(at={3: stumble}, name="worse")
    good = Counting(name="good")
    jobs = [ask(context, collection, counting) for counting in (bad, worse, good)]
    working(bad, worse, good)
    failed, stumbled, done = (until(context, job.id, ended) for job in jobs)
    assert (failed.state, failed.error) == (State.FAILED, "the number cannot be counted")
    assert stumbled.state == State.FAILED
    assert "nobody expected" in str(stumbled.error)
    assert done.state == State.DONE_WITH_REJECTS
    assert counted(context, failed) == [1, 2, 3]
    asking.resume(context, failed.id)
    done = until(context, failed.id, ended)
    assert (done.state, done.error, counted(context, done)) == (State.DONE_WITH_REJECTS, None, [*range(1, 13)])


class AlwaysBusy(dict[int, Callable[[Running], None]]):
    """Before the fourth number it is busy, however often that is tried."""

    def pop(self, number: int, *_: Any) -> Any:
        return busy if number == 4 else None


def test_a_busy_server_is_waited_for_and_at_last_given_up(
    context: Context, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, always = Counting(at={4: busy}, name="once"), Counting(name="always")
    always.at = AlwaysBusy()
    jobs = [ask(context, collection, counting) for counting in (once, always)]
    worker = Worker(context, QUICK, [once.kind, always.kind])
    monkeypatch.setattr(worker, "wait", lambda _: None)
    for job in jobs:
        held = worker.take(job.id)
        assert held is not None
        worker.do(held)
    assert asking.get(context, jobs[0].id).state == State.DONE_WITH_REJECTS
    given_up = asking.get(context, jobs[1].id)
    assert (given_up.state, given_up.error) == (State.FAILED, "too busy")


def test_workers_that_stop_hand_their_job_on(context: Context, collection: Any, working: Any) -> None:
    gate = threading.Event()
    first, second = Counting(gate=gate), Counting()
    job = ask(context, collection, first)
    workers = working(first)
    until(context, job.id, lambda one: one.state == State.RUNNING)
    workers.stop()
    workers.join()
    queued = asking.get(context, job.id)
    assert (queued.state, queued.worker) == (State.QUEUED, None)
    working(second)
    assert until(context, job.id, ended).state == State.DONE_WITH_REJECTS
    assert counted(context, job) == [*range(1, 13)]


def test_a_dropped_collection_and_a_revoked_token_end_the_job(context: Context, working: Any) -> None:
    dropped, kept = (collections.create(context, name, "photo") for name in ("dropped", "kept"))
    made = tokens.create(context, [Scope.WRITE], ["kept"])
    principal = context.lookup.principal(made.token)
    assert principal is not None

    def drop(job: Running) -> None:
        collections.drop(context, "dropped")
        job.collection()

    first = Counting(at={3: drop}, name="first")

    def revoke(job: Running) -> None:
        tokens.revoke(context, made.id)
        job.sleep(30)

    second = Counting(at={3: revoke}, name="second")
    third = Counting(name="third")
    jobs = [ask(context, dropped, first), ask(context, kept, second, principal=principal), ask(context, kept, third)]
    working(first, second, third)
    states = [until(context, job.id, ended) for job in jobs]
    assert [(one.state, one.error) for one in states] == [
        (State.FAILED, "the collection 'dropped' was dropped"),
        (State.FAILED, "the token that asked for this job was revoked"),
        (State.DONE_WITH_REJECTS, None),
    ]


def test_an_idempotency_key_makes_one_job(context: Context, collection: Any) -> None:
    counting = Counting()
    first = asking.start(context, counting.kind, collection, {"to": 3}, idempotency_key="k")
    again = asking.start(context, counting.kind, collection, {"to": 3}, idempotency_key="k")
    assert (first[0].id, first[1]) == (again[0].id, True)
    assert again[1] is False
    with pytest.raises(InvalidRequest, match="was used for another job"):
        asking.start(context, counting.kind, collection, {"to": 4}, idempotency_key="k")
    principal = Principal(77, frozenset({Scope.WRITE}), None)
    other = asking.start(context, counting.kind, collection, {"to": 3}, idempotency_key="k", principal=principal)
    assert other[1]  # the key of another token is another key
    for key in ("", "x" * 256):
        with pytest.raises(InvalidRequest, match="1 to 255 bytes"):
            asking.start(context, counting.kind, collection, {"to": 3}, idempotency_key=key)
    made: list[int] = []
    threads = [
        threading.Thread(target=lambda: made.append(ask(context, collection, counting, idempotency_key="race").id))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 5
    assert len(set(made)) == 1


def test_a_token_sees_the_jobs_of_its_collections(context: Context, collection: Any) -> None:
    other = collections.create(context, f"{collection.name}b", "photo")
    counting = Counting()
    mine, theirs = ask(context, collection, counting), ask(context, other, counting)
    sight = asking.sight_of(Principal(5, frozenset({Scope.READ}), frozenset({collection.id})), Scope.READ)
    assert asking.get(context, mine.id, sight).id == mine.id
    for number in (theirs.id, 10**30, 0):
        for look in (asking.get, asking.pause, asking.resume, asking.cancel):
            with pytest.raises(JobNotFound):
                look(context, number, sight)
    assert [job.id for job in asking.listed(context, sight)] == [mine.id]
    assert asking.get(context, theirs.id).state == State.QUEUED


def test_a_job_of_a_command_waits_for_it_alone(context: Context, collection: Any) -> None:
    counting = Counting()
    command, other = (Worker(context, QUICK, [counting.kind]) for _ in range(2))
    job = ask(context, collection, counting, reserved=command.name, local=True)
    assert other.take(job.id) is None
    held = command.take(job.id)
    assert held is not None
    context.db.write(
        lambda one: one.execute(
            "UPDATE lookalike.jobs SET heartbeat_at = now() - interval '1 hour' WHERE id = %s", (job.id,)
        )
    )
    assert other.take(job.id) is None  # what it reads lies on another machine
    job_table.tidy(context.db, QUICK.lease, 30)
    assert asking.get(context, job.id).state == State.PAUSED
    with pytest.raises(InvalidRequest, match="run the same command there again"):
        asking.resume(context, job.id)
    assert asking.resume(context, job.id, reserved=command.name).state == State.QUEUED
    held = command.take(job.id)
    assert held is not None
    command.do(held)
    assert asking.get(context, job.id).state == State.DONE_WITH_REJECTS


def test_behind_a_pooler_jobs_are_looked_for(
    context: Context, collection: Any, module_database_url: str, tmp_path: Path
) -> None:
    counting = Counting()
    pooled = create_context(Settings(home=tmp_path, pooler="transaction"), module_database_url)
    pooled.open()
    workers = Workers(pooled, 1, QUICK, [counting.kind])
    workers.start()
    try:
        job = ask(context, collection, counting)
        assert until(context, job.id, ended).state == State.DONE_WITH_REJECTS
        assert counted(context, job) == [*range(1, 13)]
        assert not pooled.bell.listens
    finally:
        workers.stop(10)
        workers.join()
        pooled.close()


def test_the_table_of_changes_has_every_state() -> None:
    assert set(AFTER) == set(State)
    assert {state for after in AFTER.values() for state in after} == set(State)


def test_workers_are_known_while_they_are_there(context: Context, working: Any) -> None:
    workers = working(Counting(), number=2)
    names = {worker.name for worker in workers._workers}
    while not names <= set(asking.workers_alive(context)):
        pass
    workers.stop()
    workers.join()
    assert not names & set(asking.workers_alive(context))


def test_jobs_that_ended_long_ago_are_forgotten(context: Context, collection: Any, tmp_path: Path) -> None:
    counting = Counting()
    old, new = (ask(context, collection, counting) for _ in range(2))
    for job in (old, new):
        asking.cancel(context, job.id)
    context.db.write(
        lambda one: one.execute(
            "UPDATE lookalike.jobs SET finished_at = now() - interval '31 days' WHERE id = %s", (old.id,)
        )
    )
    job_table.tidy(context.db, QUICK.lease, 30)
    assert [job.id for job in asking.listed(context, collection_id=collection.id)] == [new.id]
