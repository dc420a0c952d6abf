"""The memory of pictures: bounded, computed once, nobody waits in vain."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.domain.errors import ImageError
from app.embedding.models.base import ModelFacts
from app.embedding.models.vector_cache import Cached, Key, VectorCache

FACTS = ModelFacts("m", "1", 256, 1.0, "none")
KEY = Key.of(b"picture", None, FACTS)


def seen(value: float, thumbnail: bytes | None = None) -> Cached:
    return Cached(np.full(256, value, np.float32), thumbnail)


def compute(memory: VectorCache, key: Key, value: float) -> Cached:
    with memory.claims() as claims:
        claim = claims.claim(key)
        if claim.mine:
            claims.settle(claim, seen(value))
    return claim.result.result(5)


def test_the_key_is_of_content_part_model_and_revision() -> None:
    others = [
        Key.of(b"another", None, FACTS),
        Key.of(b"picture", (0, 0, 1, 1), FACTS),
        Key.of(b"picture", None, ModelFacts("n", "1", 256, 1.0, "none")),
        Key.of(b"picture", None, ModelFacts("m", "2", 256, 1.0, "none")),
    ]
    assert len({KEY, *others}) == 5
    assert Key.of(bytes(bytearray(b"picture")), None, FACTS) == KEY


def test_what_was_computed_is_given_again_and_counted() -> None:
    memory = VectorCache(2**20)
    assert compute(memory, KEY, 1.0).embedding[0] == 1.0
    assert compute(memory, KEY, 2.0).embedding[0] == 1.0
    figures = memory.figures()
    assert (figures.hits, figures.misses, figures.entries) == (1, 1, 1)


def test_what_is_stored_cannot_be_changed_by_one_who_got_it() -> None:
    memory = VectorCache(2**20)
    compute(memory, KEY, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        compute(memory, KEY, 1.0).embedding[0] = 5.0


def test_with_no_room_nothing_is_kept_but_still_only_one_computes() -> None:
    memory = VectorCache(0)
    assert compute(memory, KEY, 1.0).embedding[0] == 1.0
    assert compute(memory, KEY, 2.0).embedding[0] == 2.0
    assert memory.figures().size == 0


def test_memory_is_bounded_in_bytes_as_the_process_counts_them_and_the_longest_unused_goes_first() -> None:
    limit = 4 * 2**20
    memory = VectorCache(limit)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(10_000):
            key = Key.of(b"%d" % number, (0, 0, number, number), FACTS)
            memory.put(key, seen(number, bytes(number % 3000)))
            memory.get(Key.of(b"0", (0, 0, 0, 0), FACTS))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert memory.figures().size <= limit
    assert taken <= limit
    assert 1000 < memory.figures().entries < 3000
    assert memory.get(Key.of(b"0", (0, 0, 0, 0), FACTS)) is not None
    assert memory.get(Key.of(b"1", (0, 0, 1, 1), FACTS)) is None


def test_of_callers_at_the_same_time_one_computes_and_the_others_wait() -> None:
    memory = VectorCache(2**20)
    begun, gate = threading.Event(), threading.Event()
    computed = []

    def work(number: int) -> float:
        with memory.claims() as claims:
            claim = claims.claim(KEY)
            if claim.mine:
                begun.set()
                assert gate.wait(5)
                computed.append(number)
                claims.settle(claim, seen(7.0))
        return float(claim.result.result(5).embedding[0])

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(work, number) for number in range(8)]
        assert begun.wait(5)
        while memory.figures().hits < 7:
            pass
        gate.set()
        assert [one.result(5) for one in running] == [7.0] * 8
    assert len(computed) == 1


def test_an_error_reaches_all_who_wait_and_the_next_one_tries_again() -> None:
    memory = VectorCache(2**20)
    with memory.claims() as claims, memory.claims() as others:
        claim, waiting = claims.claim(KEY), others.claim(KEY)
        assert (claim.mine, waiting.mine) == (True, False)
        claims.fail(claim, ImageError("damaged"))
    with pytest.raises(ImageError, match="damaged"):
        waiting.result.result(0)
    assert compute(memory, KEY, 3.0).embedding[0] == 3.0


def test_who_breaks_off_leaves_nobody_waiting() -> None:
    memory = VectorCache(2**20)
    waiting = []

    def broken_off() -> None:
        with memory.claims() as claims, memory.claims() as others:
            claims.claim(KEY)
            waiting.append(others.claim(KEY))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    with pytest.raises(KeyboardInterrupt):
        waiting[0].result.result(0)
    with memory.claims() as forgetful:
        forgotten = forgetful.claim(KEY)
    with pytest.raises(RuntimeError, match="not computed"):
        forgotten.result.result(0)
    assert compute(memory, KEY, 3.0).embedding[0] == 3.0
