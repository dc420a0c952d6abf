"""Micro-batches: requests that come at the same time share a forward pass, through one thread a model."""

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import LookalikeError, Unavailable
from app.embedding import registry
from app.embedding.base import Embedder, ModelFacts, Prepared

log = logging.getLogger(__name__)

_BATCH = 8


class ModelFailed(LookalikeError):
    """The model itself failed on pictures that were fit to be read (500)."""


@dataclass(frozen=True, slots=True)
class _Job:
    prepared: Prepared
    result: "Future[NDArray[np.float32]]"


class BatchedEmbedder:
    """One model and the one thread that runs it.

    The thread takes whatever waits, up to eight pictures, and never waits for more: under load batches fill by
    themselves, and a lone request is not held up.
    """

    def __init__(self, embedder: Embedder, queue_pictures: int) -> None:
        self._embedder = embedder
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._room = threading.Semaphore(queue_pictures)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"model-{embedder.facts.name}", daemon=True)
        self._thread.start()

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._embedder.facts

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what the model takes of a picture; runs in the caller's thread."""
        return self._embedder.prepare(picture)

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length, in order.

        Raises:
            Unavailable: too many pictures wait already, or the server is stopping.
            ModelFailed: the model raised an error.

        """
        futures = [self._submit(one) for one in prepared]
        rows = [future.result() for future in futures]
        return np.stack(rows) if rows else np.empty((0, self.facts.dimensions), np.float32)

    def _submit(self, prepared: Prepared) -> "Future[NDArray[np.float32]]":
        if self._closed:
            raise Unavailable("the server is stopping")
        if not self._room.acquire(blocking=False):
            raise Unavailable("too many pictures wait for the model; try again in a moment")
        job = _Job(prepared, Future())
        job.result.add_done_callback(lambda _: self._room.release())
        self._jobs.put(job)
        return job.result

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < _BATCH:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._jobs.put(None)
                    break
                batch.append(more)
            self._run(batch)
        self._refuse_the_rest()

    def _run(self, batch: Sequence[_Job]) -> None:
        try:
            rows = self._embedder.embed([job.prepared for job in batch])
        except Exception as error:
            log.exception("the model %s failed on a batch of %d pictures", self.facts.name, len(batch))
            for job in batch:
                failure = ModelFailed(f"the model {self.facts.name} failed on this picture")
                failure.__cause__ = error
                job.result.set_exception(failure)
        else:
            for job, row in zip(batch, rows, strict=True):
                job.result.set_result(row)

    def _refuse_the_rest(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.result.set_exception(Unavailable("the server is stopping"))

    def close(self) -> None:
        """Finish what waits, then stop the thread."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join(timeout=30)


class Models:
    """The process's models, each loaded once, at its first use."""

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

    def close(self) -> None:
        """Stop every model's thread."""
        with self._lock:
            for embedder in self._loaded.values():
                embedder.close()
            self._loaded.clear()
