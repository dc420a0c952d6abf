import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import InvalidRequest, Unavailable
from app.domain.options import ModelOptions
from app.embedding.models import registry
from app.embedding.models.base import Embedder, ModelFacts, Prepared, TextScoring
from app.embedding.models.batching import BatchedEmbedder, ModelFailed, Models
from tests.pictures import embed_pictures, photo
from tests.support.waiting import eventually


class Gated(Embedder):
    """A model that waits for a gate, remembers its batches, and can be made to fail on a value.

    The vector of the prepared value n is (n, 1).
    """

    facts = ModelFacts("gated", "1", 2, 1.0, "none")

    def __init__(self, fails: Callable[[list[int]], Any] = lambda values: None) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self._fails = fails

    def prepare(self, picture: Image.Image) -> Prepared:
        return np.asarray(picture.width)

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        return self._embed(prepared)  # as they are, so that a row tells its picture

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        values = [int(one) for one in prepared]
        self.entered.set()
        assert self.gate.wait(10)
        self.batches.append(values)
        self.threads.add(threading.current_thread().name)
        instead = self._fails(values)
        return instead if instead is not None else np.array([[value, 1] for value in values], np.float32)


class Worded(Gated):
    """A gated model that knows texts, of nine characters at most: the vector of a text of n characters is (n, -1)."""

    knows_text = True
    text_scoring = TextScoring(10.0)

    def check_text(self, text: str) -> None:
        if len(text) > 9:
            raise InvalidRequest("the text is too long")

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self.embed([np.asarray(len(text)) for text in texts])
        return rows * np.array([1, -1], np.float32)


Make = Callable[..., tuple[Gated, BatchedEmbedder]]


@pytest.fixture
def batched() -> Iterator[Make]:
    made: list[tuple[Gated, BatchedEmbedder]] = []

    def make(
        fails: Callable[[list[int]], Any] = lambda values: None, capacity: int = 100, kind: type[Gated] = Gated
    ) -> Any:
        model = kind(fails)
        made.append((model, BatchedEmbedder(model, capacity)))
        return made[-1]

    yield make
    for model, embedder in made:
        model.gate.set()
        embedder.close()


def numbers(*values: int) -> list[Prepared]:
    return [np.asarray(value) for value in values]


def waiting(embedder: BatchedEmbedder, count: int) -> None:
    """Return when so many pictures wait."""
    eventually(lambda: len(embedder._waiting), lambda now: now == count)


def test_requests_at_the_same_time_share_batches_of_eight_and_each_gets_its_own(batched: Make) -> None:
    model, embedder = batched()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(embedder.embed, numbers(1000))
        model.entered.wait(5)
        others = [pool.submit(embedder.embed, numbers(n, n + 100)) for n in range(10)]
        waiting(embedder, 20)
        model.gate.set()
        assert first.result().tolist() == [[1000, 1]]
        for n, other in enumerate(others):
            assert other.result().tolist() == [[n, 1], [n + 100, 1]]
    assert [len(batch) for batch in model.batches] == [1, 8, 8, 4]
    assert model.threads == {"model-gated"}


def test_a_lone_request_is_not_held_up(batched: Make) -> None:
    model, embedder = batched()
    model.gate.set()
    embedder.embed(numbers(1))
    start = time.perf_counter()
    for n in range(20):
        embedder.embed(numbers(n))
    assert time.perf_counter() - start < 0.5
    assert [len(batch) for batch in model.batches] == [1] * 21


def test_nothing_to_embed_gives_no_rows(batched: Make) -> None:
    _, embedder = batched()
    assert embedder.embed([]).shape == (0, 2)
    assert embedder.embed([]).dtype == np.float32


def test_a_full_queue_refuses_at_once_and_takes_nothing_of_the_request(batched: Make) -> None:
    model, embedder = batched(capacity=4)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(embedder.embed, numbers(1))
        model.entered.wait(5)
        queued = pool.submit(embedder.embed, numbers(2, 3, 4))
        waiting(embedder, 3)
        start = time.perf_counter()
        with pytest.raises(Unavailable, match="too many pictures"):
            embedder.embed(numbers(5, 6))
        assert time.perf_counter() - start < 0.5
        model.gate.set()
        assert len(running.result()) == 1
        assert len(queued.result()) == 3
    assert embedder.embed(numbers(7)).tolist() == [[7, 1]]
    assert sorted(value for batch in model.batches for value in batch) == [1, 2, 3, 4, 7]


def test_more_pictures_than_may_wait_go_through_in_rounds(batched: Make) -> None:
    model, embedder = batched(capacity=10)
    model.gate.set()
    assert embedder.embed(numbers(*range(57)))[:, 0].tolist() == list(range(57))


def fails_on_13(values: list[int]) -> None:
    if 13 in values:
        raise RuntimeError("thirteen")


def exits_on_13(values: list[int]) -> None:
    if 13 in values:
        raise SystemExit(13)


def short_on_13(values: list[int]) -> NDArray[np.float32] | None:
    return np.zeros((len(values) + 1, 2), np.float32) if 13 in values else None


@pytest.mark.parametrize("fails", [fails_on_13, exits_on_13, short_on_13])
def test_a_picture_that_breaks_the_model_spoils_no_other(batched: Make, fails: Callable[[list[int]], Any]) -> None:
    model, embedder = batched(fails)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(embedder.embed, numbers(1000))
        model.entered.wait(5)
        others = {n: pool.submit(embedder.embed, numbers(n)) for n in range(10, 16)}
        waiting(embedder, 6)
        model.gate.set()
        assert first.result(5).tolist() == [[1000, 1]]
        for n, other in others.items():
            if n == 13:
                with pytest.raises(ModelFailed, match="the model gated failed on this picture") as failed:
                    other.result(5)
                assert failed.value.__cause__ is not None
            else:
                assert other.result(5).tolist() == [[n, 1]]
    assert embedder.embed(numbers(1)).tolist() == [[1, 1]]


def no_memory(values: list[int]) -> None:
    if 13 in values:
        raise MemoryError


def no_memory_in_words(values: list[int]) -> None:
    if 13 in values:
        raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc")


@pytest.mark.parametrize("fails", [no_memory, no_memory_in_words])
def test_a_model_without_memory_is_tried_again_later(batched: Make, fails: Callable[[list[int]], Any]) -> None:
    model, embedder = batched(fails)
    model.gate.set()
    with pytest.raises(Unavailable, match="no memory left for the model"):
        embedder.embed(numbers(12, 13))
    assert embedder.embed(numbers(12, 14)).tolist() == [[12, 1], [14, 1]]


def test_where_memory_lacks_for_the_error_itself_nobody_waits_in_vain(
    batched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, embedder = batched(no_memory)
    model.gate.set()
    monkeypatch.setattr("app.embedding.models.batching.log.warning", no_memory_for_it)
    with pytest.raises(Unavailable, match="no memory left for the model"):
        embedder.embed(numbers(13))
    assert embedder.embed(numbers(14)).tolist() == [[14, 1]]
    assert len(model.threads) == 1


def no_memory_for_it(*_: object) -> None:
    raise MemoryError


class Lacking:
    """Calls something, but not the first few times, when there is no memory for it."""

    def __init__(self, call: Callable[..., Any], times: int) -> None:
        self._call, self.left = call, times

    def __call__(self, *given: Any) -> Any:
        if self.left:
            self.left -= 1
            raise MemoryError
        return self._call(*given)


def test_where_memory_lacks_for_telling_of_it_it_is_told_later(batched: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model, embedder = batched(no_memory)
    model.gate.set()
    monkeypatch.setattr("app.embedding.models.batching.log.warning", no_memory_for_it)
    lacking = Lacking(Unavailable.__init__, 2)

    class Rare(Unavailable):
        def __init__(self, *given: Any) -> None:
            lacking(self, *given)

    monkeypatch.setattr("app.embedding.models.batching.Unavailable", Rare)
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable, match="no memory left for the model"):
        pool.submit(embedder.embed, numbers(13)).result(10)
    assert embedder.embed(numbers(14)).tolist() == [[14, 1]]
    assert (lacking.left, len(model.threads)) == (0, 1)


def test_where_memory_lacks_for_taking_a_batch_it_waits(batched: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model, embedder = batched()
    model.gate.set()
    lacking = Lacking(islice, 2)
    monkeypatch.setattr("app.embedding.models.batching.islice", lacking)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(embedder.embed, numbers(12, 14)).result(10).tolist() == [[12, 1], [14, 1]]
    assert lacking.left == 0


def test_texts_and_pictures_share_the_thread_and_the_queue_and_never_a_batch(batched: Make) -> None:
    model, embedder = batched(capacity=6, kind=Worded)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(embedder.embed, numbers(1000))
        model.entered.wait(5)
        pictures = pool.submit(embedder.embed, numbers(20, 30))
        waiting(embedder, 2)
        texts = pool.submit(embedder.embed_text, ["red", "blue"])
        waiting(embedder, 4)
        others = pool.submit(embedder.embed, numbers(40))
        waiting(embedder, 5)
        with pytest.raises(Unavailable, match="too many pictures or texts"):
            embedder.embed_text(["one", "more"])
        model.gate.set()
        assert first.result(5).tolist() == [[1000, 1]]
        assert pictures.result(5).tolist() == [[20, 1], [30, 1]]
        assert texts.result(5).tolist() == [[3, -1], [4, -1]]
        assert others.result(5).tolist() == [[40, 1]]
    assert [len(batch) for batch in model.batches] == [1, 3, 2]
    assert model.threads == {"model-gated"}


def test_a_text_that_breaks_the_model_spoils_no_other(batched: Make) -> None:
    def fails_on_5(values: list[int]) -> None:
        if 5 in values:
            raise RuntimeError("five")

    model, embedder = batched(fails_on_5, kind=Worded)
    model.gate.set()
    with pytest.raises(ModelFailed, match="failed on this text"):
        embedder.embed_text(["12345"])
    assert embedder.embed_text(["1234", "12"]).tolist() == [[4, -1], [2, -1]]


def test_a_text_that_is_too_long_or_for_a_model_of_pictures_never_waits(batched: Make) -> None:
    model, embedder = batched(kind=Worded)
    model.gate.set()
    with pytest.raises(InvalidRequest, match="too long"):
        embedder.embed_text(["short", "longer than nine"])
    assert model.batches == []
    assert embedder.text_scoring == TextScoring(10.0)
    plain, pictures_only = batched()
    plain.gate.set()
    assert pictures_only.text_scoring is None
    with pytest.raises(InvalidRequest, match="'gated' knows pictures only"):
        pictures_only.embed_text(["red"])


def test_closing_finishes_what_waits_and_refuses_what_comes(batched: Make) -> None:
    model, embedder = batched()
    with ThreadPoolExecutor(20) as pool:
        running = [pool.submit(embedder.embed, numbers(n)) for n in range(1)]
        model.entered.wait(5)
        running += [pool.submit(embedder.embed, numbers(n)) for n in range(1, 12)]
        waiting(embedder, 11)
        closing = pool.submit(embedder.close)
        model.gate.set()
        assert [one.result(5).tolist() for one in running] == [[[n, 1]] for n in range(12)]
        closing.result(5)
    with pytest.raises(Unavailable, match="stopping"):
        embedder.embed(numbers(1))
    embedder.close()


def test_closing_before_the_first_use() -> None:
    embedder = BatchedEmbedder(Gated(), 10)
    embedder.close()
    with pytest.raises(Unavailable, match="stopping"):
        embedder.embed(numbers(1))


def test_many_threads_at_once_each_get_their_own(batched: Make) -> None:
    model, embedder = batched(capacity=1000)
    model.gate.set()
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda n: embedder.embed(numbers(n, -n)), range(400)))
    assert [row.tolist() for row in rows] == [[[n, 1], [-n, 1]] for n in range(400)]


def test_models_are_loaded_once_whoever_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[tuple[str, int]] = []
    real = registry.load

    def slow(name: str, options: ModelOptions, threads: int, revision: str | None) -> Embedder:
        loads.append((name, threads))
        time.sleep(0.05)
        return real(name, options, threads, revision)

    monkeypatch.setattr(registry, "load", slow)
    models = Models(ModelOptions(), threads=2)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: models.get("pixels"), range(32)))
    assert len(found) == 1
    assert loads == [("pixels", 2)]
    models.close()


def test_models_embed_pictures_in_order() -> None:
    models = Models(ModelOptions())
    pictures = [photo(number) for number in range(12)]
    rows = embed_pictures(models, "pixels", pictures)
    assert rows.shape == (12, registry.describe("pixels", ModelOptions()).dimensions)
    assert np.array_equal(rows[7:8], embed_pictures(models, "pixels", [pictures[7]]))
    models.close()


def test_an_unknown_model_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"no model 'none'; the models are .*efficientnet-lite0, .*pixels"):
        Models(ModelOptions()).get("none")


def test_a_full_gpu_is_told_to_every_caller_as_such(batched: Make) -> None:
    def full(values: list[int]) -> None:
        raise Unavailable("the GPU's memory is full")

    model, embedder = batched(full)
    model.gate.set()
    with pytest.raises(Unavailable, match="memory is full"):
        embedder.embed(numbers(1, 2, 3))
    assert len(model.batches) < 4  # nothing is tried again one by one


def test_eight_threads_that_ask_at_once_load_the_default_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.embedding.models import efficientnet_lite0

    made: list[object] = []
    real = efficientnet_lite0.EfficientNetLite0

    def counted(*given: Any) -> Embedder:
        made.append(given)
        return real(*given)

    monkeypatch.setattr(efficientnet_lite0, "EfficientNetLite0", counted)
    models = Models(ModelOptions())
    start = threading.Barrier(8)

    def work(number: int) -> NDArray[np.float32]:
        start.wait(10)
        return embed_pictures(models, "efficientnet-lite0", [photo(3)])

    with ThreadPoolExecutor(8) as pool:
        rows = np.vstack(list(pool.map(work, range(8))))
    assert len(made) == 1
    assert rows == pytest.approx(np.repeat(rows[:1], 8, axis=0), abs=1e-2)
    models.close()
