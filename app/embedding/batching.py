"""Micro-batches: requests that come at the same time share a forward pass, through one thread a model."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import LookalikeError, Unavailable
from app.embedding import registry
from app.embedding.base import Embedder, ModelFacts, Prepared

log = logging.getLogger(__name__)

_BATCH = 8  # measured: on few cores larger batches cost more a picture


class ModelFailed(LookalikeError):
    """The model itself failed on pictures that were fit to be read (500)."""


@dataclass(frozen=True, slots=True)
class _Job:
    prepared: Prepared
    result: "Future[NDArray[np.float32]]" = field(default_factory=Future)


class BatchedEmbedder:
    """One model and the one thread that runs it.

    The thread takes whatever waits, up to eight pictures, and never waits for more: under load batches fill by
    themselves, and a lone request is not held up.

    Args:
        embedder: the model, loaded.
        queue_pictures: pictures that may wait; beyond it callers are refused at once.

    """

    def __init__(self, embedder: Embedder, queue_pictures: int) -> None:
        self._embedder = embedder
        self._capacity = queue_pictures
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._embedder.facts

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
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(prepared), self._capacity):
            jobs = [_Job(one) for one in prepared[start : start + self._capacity]]
            self._submit(jobs)
            rows += [job.result.result() for job in jobs]
        return np.stack(rows) if rows else np.empty((0, self.facts.dimensions), np.float32)

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
                raise Unavailable("too many pictures wait for the model; try again in a moment")
            self._waiting.extend(jobs)
            if self._thread is None or not self._thread.is_alive():  # at the first call, and in a forked process
                self._thread = threading.Thread(target=self._work, name=f"model-{self.facts.name}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[_Job]:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _run(self, batch: Sequence[_Job]) -> None:
        """Give each job of a batch its row; or, whatever happens, its error: a caller must never wait in vain."""
        try:
            rows = self._embedder.embed([job.prepared for job in batch])
            if rows.shape != (len(batch), self.facts.dimensions):
                raise ValueError(f"the model gave rows of shape {rows.shape}")
        except BaseException as error:
            if len(batch) > 1:  # a picture that the model cannot take must not spoil those that came with it
                for job in batch:
                    self._run([job])
                return
            log.exception("the model %s failed on a picture", self.facts.name)
            failure = ModelFailed(f"the model {self.facts.name} failed on this picture")
            failure.__cause__ = error
            batch[0].result.set_exception(failure)
        else:
            for job, row in zip(batch, rows, strict=True):
                job.result.set_result(row)


class Models:
    """The process's models, each loaded once, at its first use.

    Args:
        threads: CPU threads of one forward pass.
        queue_pictures: pictures that may wait for one model.

    """

    def __init__(self, threads: int = 1, queue_pictures: int = 256) -> None:
        self._threads = threads
        self._queue_pictures = queue_pictures
        self._loaded: dict[str, BatchedEmbedder] = {}
        self._lock = threading.Lock()
        self.warm = False

    def get(self, name: str) -> BatchedEmbedder:
        """Return a model, loaded if it is not yet.

        Raises:
            InvalidRequest: there is no model of this name.

        """
        found = self._loaded.get(name)
        if found is None:
            with self._lock:
                found = self._loaded.get(name)
                if found is None:
                    found = BatchedEmbedder(registry.load(name, self._threads), self._queue_pictures)
                    self._loaded[name] = found
        return found

    def embed_pictures(self, name: str, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length of RGB pictures, in order.

        Raises:
            InvalidRequest: there is no model of this name.
            Unavailable: too many pictures wait already, or the server is stopping.
            ModelFailed: the model raised an error on one of these pictures.

        """
        model = self.get(name)
        return model.embed([model.prepare(picture) for picture in pictures])

    def close(self) -> None:
        """Stop every model's thread."""
        with self._lock:
            for embedder in self._loaded.values():
                embedder.close()
            self._loaded.clear()
