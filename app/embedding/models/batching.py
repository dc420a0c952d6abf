"""Micro-batches: requests that come at the same time share a forward pass, through one thread a model."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby, islice
from time import perf_counter, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import InvalidRequest, LookalikeError, Unavailable
from app.domain.options import ModelOptions
from app.embedding.models import registry
from app.embedding.models.base import Embedder, ModelFacts, Prepared, TextEmbedder, TextScoring
from app.metrics import Metrics, families

log = logging.getLogger(__name__)


_NO_MEMORY = "the server has no memory left for the model; try again in a moment"
_NO_MEMORY_SECONDS = 5
_AGAIN_SECONDS = 0.1


class ModelFailed(LookalikeError):
    """The model itself failed on pictures or texts that were fit to be read (500)."""


@dataclass(frozen=True, slots=True)
class _Job:
    given: Prepared | str
    result: "Future[NDArray[np.float32]]" = field(default_factory=Future)


class BatchedEmbedder:
    """One model and the one thread that runs it.

    The thread takes whatever waits, up to eight pictures or texts (more where the model runs on a GPU), and never waits
    for more: under load batches fill by themselves, and a lone request is not held up.

    Args:
        embedder: the model, loaded.
        queue_pictures: pictures and texts that may wait; beyond it callers are refused at once.
        metrics: what is told of batches.

    """

    def __init__(self, embedder: Embedder, queue_pictures: int, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._embedder = embedder
        self.batch = embedder.batch
        self._capacity = queue_pictures
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def facts(self) -> ModelFacts:
        """Return the facts of the model."""
        return self._embedder.facts

    @property
    def waiting(self) -> int:
        """Return how many pictures and texts wait for the model."""
        return len(self._waiting)

    @property
    def runs_on(self) -> str:
        """Device and number type in words."""
        return self._embedder.runs_on

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what the model takes of a picture; runs in the caller's thread."""
        return self._embedder.prepare(picture)

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length, in order. Blocks until all are there.

        More pictures than may wait go through in several rounds.

        Raises:
            Unavailable: too many pictures wait already, or the server is stopping.
            ModelFailed: the model raised an error on one of these pictures.

        """
        return self._wait_for(prepared)

    @property
    def text_scoring(self) -> TextScoring | None:
        """Return how the model scores texts; None where it knows pictures only."""
        return self._embedder.text_scoring if isinstance(self._embedder, TextEmbedder) else None

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length of texts, in order. Blocks until all are there.

        Raises:
            InvalidRequest: the model knows pictures only, or would not read one of the texts to its end.
            Unavailable: too much waits for the model already, or the server is stopping.
            ModelFailed: the model raised an error on one of these texts.

        """
        model = self._embedder
        if not isinstance(model, TextEmbedder) or not model.knows_text:
            raise InvalidRequest(
                f"the model {self.facts.name!r} knows pictures only; a text needs a text-image model: CLIP, SigLIP or"
                " SigLIP 2, as google/siglip2-base-patch16-224"
            )
        for text in texts:
            model.check_text(text)
        return self._wait_for(texts)

    def _wait_for(self, given: Sequence[Prepared | str]) -> NDArray[np.float32]:
        if not given:
            return np.empty((0, self.facts.dimensions), np.float32)
        with self._metrics.timed("embed"):
            return self._rounds(given)

    def _rounds(self, given: Sequence[Prepared | str]) -> NDArray[np.float32]:
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(given), self._capacity):
            jobs = [_Job(one) for one in given[start : start + self._capacity]]
            self._submit(jobs)
            rows += [job.result.result() for job in jobs]
        return np.stack(rows)

    def close(self) -> None:
        """Finish what waits, then stop the thread; later calls of `embed` are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _submit(self, jobs: Sequence[_Job]) -> None:
        with self._changed:
            if self._closed:
                raise Unavailable("the server is stopping")
            if len(self._waiting) + len(jobs) > self._capacity:
                raise Unavailable("too many pictures or texts wait for the model; try again in a moment")
            self._waiting.extend(jobs)
            if self._thread is None or not self._thread.is_alive():  # at the first call, and in a forked process
                self._thread = threading.Thread(target=self._work, name=f"model-{self.facts.name}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            try:
                batch = self._next()
            except MemoryError:  # nothing was taken: those that wait are served once there is memory again
                sleep(_AGAIN_SECONDS)
                continue
            if not batch:
                return
            try:
                for _, alike in groupby(sorted(batch, key=_is_text), key=_is_text):
                    self._run(list(alike))
            except MemoryError:  # to tell of an error takes memory as well: nobody may wait in vain, nor the thread end
                _refuse(batch)

    def _next(self) -> list[_Job]:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            batch = list(islice(self._waiting, self.batch))
            for _ in batch:
                self._waiting.popleft()
            return batch

    def _run(self, batch: Sequence[_Job]) -> None:
        """Give each job of a batch its row; or, whatever happens, its error: a caller must never wait in vain."""
        started = perf_counter()
        try:
            rows = self._rows([job.given for job in batch])
            if rows.shape != (len(batch), self.facts.dimensions):
                raise ValueError(f"the model gave rows of shape {rows.shape}")
        except Unavailable as error:  # the GPU's memory is full: other pictures would fare no better
            log.warning("the model %s: %s", self.facts.name, error)
            for job in batch:
                job.result.set_exception(error)
        except BaseException as error:
            if len(batch) > 1:  # a picture that the model cannot take must not spoil those that came with it
                for job in batch:
                    self._run([job])
                return
            if _lacks_memory(error):
                log.warning("the model %s has no memory left: %s", self.facts.name, error)
                batch[0].result.set_exception(Unavailable(_NO_MEMORY, _NO_MEMORY_SECONDS))
                return
            what = "text" if _is_text(batch[0]) else "picture"
            log.exception("the model %s failed on a %s", self.facts.name, what)
            failure = ModelFailed(f"the model {self.facts.name} failed on this {what}")
            failure.__cause__ = error
            batch[0].result.set_exception(failure)
        else:
            self._count(len(batch), perf_counter() - started)
            for job, row in zip(batch, rows, strict=True):
                job.result.set_result(row)

    def _count(self, size: int, seconds: float) -> None:
        name = self.facts.name
        self._metrics.count(families.MODEL_BATCHES, name)
        self._metrics.count(families.MODEL_PICTURES, name, amount=size)
        self._metrics.observe(families.MODEL_BATCH_SECONDS, seconds, name)

    def _rows(self, given: Sequence[Any]) -> NDArray[np.float32]:
        if isinstance(given[0], str) and isinstance(self._embedder, TextEmbedder):
            return self._embedder.embed_text(given)
        return self._embedder.embed(given)


def _refuse(batch: Sequence[_Job]) -> None:
    """Tell those of a batch that were told nothing yet that there is no memory, once there is enough to say so."""
    while True:
        try:
            for job in batch:
                if not job.result.done():
                    job.result.set_exception(Unavailable(_NO_MEMORY, _NO_MEMORY_SECONDS))
        except MemoryError:
            sleep(_AGAIN_SECONDS)
        else:
            return


def _lacks_memory(error: BaseException) -> bool:
    """Say whether an error is about memory, which other requests may give back; ONNX Runtime says so in words alone."""
    return isinstance(error, MemoryError) or "alloc" in str(error).lower()


def _is_text(job: _Job) -> bool:
    return isinstance(job.given, str)


class Models:
    """The process's models, each loaded once, at its first use.

    Args:
        options: where models run and where their files come from.
        threads: CPU threads of one forward pass.
        queue_pictures: pictures that may wait for one model.
        metrics: what is told of batches.

    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        threads: int = 1,
        queue_pictures: int = 256,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._threads = threads
        self.options = options
        self._queue_pictures = queue_pictures
        self._loaded: dict[tuple[str, str | None], BatchedEmbedder] = {}
        self._by_identity: dict[tuple[str, str | None], BatchedEmbedder] = {}
        self._lock = threading.Lock()
        self.warm = False
        self.loaded: Callable[[], None] = lambda: None
        """Is called after a model was loaded."""

    def get(self, name: str, revision: str | None = None) -> BatchedEmbedder:
        """Return a model, loaded if it is not yet. Several names of one model share it.

        Its present revision, unless `revision` names an earlier one that is at hand.

        Raises:
            InvalidRequest: there is no model of this name.

        """
        key = (name, revision if (name, revision) in registry.EARLIER else None)
        found = self._loaded.get(key)
        if found is None:
            with self._lock:
                found = self._loaded.get(key)
                if found is None:
                    found = self._loaded[key] = self._load(*key)
        return found

    def _load(self, name: str, revision: str | None) -> BatchedEmbedder:
        own = (registry.identity(name, self.options), revision)
        if own not in self._by_identity:
            loaded = registry.load(name, self.options, self._threads, revision)
            self._by_identity[own] = BatchedEmbedder(loaded, self._queue_pictures, self._metrics)
            self.loaded()
        return self._by_identity[own]

    def waiting(self) -> dict[str, int]:
        """Return how many pictures and texts wait for each model that is loaded, its revisions together."""
        numbers: dict[str, int] = {}
        for one in list(self._by_identity.values()):
            numbers[one.facts.name] = numbers.get(one.facts.name, 0) + one.waiting
        return numbers

    def close(self) -> None:
        """Stop every model's thread."""
        with self._lock:
            for embedder in self._by_identity.values():
                embedder.close()
            self._by_identity.clear()
            self._loaded.clear()
