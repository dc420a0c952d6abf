"""What is noted is added up once, whichever threads note and settle, and before it is read."""

import threading

import pytest

from app.metrics import Metrics, families
from app.metrics.families import SECONDS

NOTED = 5_000


def exposed(metrics: Metrics, name: str) -> float:
    text = metrics.exposed("")[0].decode()
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).rpartition(" ")[2])


def test_of_what_threads_note_nothing_is_lost_and_nothing_counted_twice() -> None:
    metrics = Metrics()
    ended = threading.Event()

    def note() -> None:
        for _ in range(NOTED):
            metrics.count(families.SEARCHES, "exact")
            metrics.observe(families.STAGE_SECONDS, 0.25, "sql")

    def settle() -> None:
        while not ended.is_set():
            metrics.settle()

    noting = [threading.Thread(target=note) for _ in range(4)]
    settling = [threading.Thread(target=settle) for _ in range(2)]
    for thread in noting + settling:
        thread.start()
    for thread in noting:
        thread.join()
    ended.set()
    for thread in settling:
        thread.join()
    assert exposed(metrics, 'lookalike_searches_total{way="exact"}') == 4 * NOTED
    assert exposed(metrics, 'lookalike_stage_seconds_count{stage="sql"}') == 4 * NOTED
    assert exposed(metrics, 'lookalike_stage_seconds_sum{stage="sql"}') == NOTED
    assert metrics.totals(families.SEARCHES)["exact",] == 4 * NOTED


def test_a_time_stands_in_the_bucket_whose_bound_it_does_not_pass() -> None:
    metrics = Metrics()
    for seconds in (0.0, 0.001, 0.0011, 1.0, 30.0, 31.0):
        metrics.observe(families.STAGE_SECONDS, seconds, "fetch")
    counts = metrics.buckets(families.STAGE_SECONDS, "fetch")
    assert (SECONDS[0], SECONDS[-1]) == (0.001, 30.0)
    assert counts == [2, *[3] * SECONDS.index(0.5), *[4] * (SECONDS.index(10.0) - SECONDS.index(0.5)), 5, 6]
    for bound, count in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
        assert exposed(metrics, f'lookalike_stage_seconds_bucket{{le="{bound}",stage="fetch"}}') == count


def test_a_stage_that_fails_is_timed_as_well() -> None:
    metrics = Metrics()
    with pytest.raises(KeyError), metrics.timed("embed"):
        raise KeyError
    assert exposed(metrics, 'lookalike_stage_seconds_count{stage="embed"}') == 1


def test_where_nothing_is_counted_nothing_is_noted() -> None:
    metrics = Metrics(counting=False)
    with metrics.timed("embed"):
        metrics.count(families.SEARCHES, "exact")
    assert metrics.exposed("")[0] == b""
