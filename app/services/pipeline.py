"""Pictures in bulk: decoded in threads ahead of the model, each step bounded, so that memory is flat."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Json
from app.embedding.batching import BatchedEmbedder
from app.embedding.images import thumbnail
from app.services.context import Context
from app.services.vectors import Box, decoded

T = TypeVar("T")

BATCH = 16  # two micro-batches of the model, so that it has the next one at hand
_AHEAD = 64
_DECODING_NICENESS = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One record: its `_id`, its attributes, how to read its picture's bytes, and which part of the picture it is."""

    id: str
    attributes: dict[str, Json]
    read: Callable[[], bytes]
    box: Json = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item whose picture was read: what the model takes of it, and what is stored beside the vector."""

    item: Item
    pixels: NDArray[Any]
    thumbnail: bytes | None
    original: bytes | None
    box: Box | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What reading pictures in bulk needs.

    `collection` says whether thumbnails and originals are made; `failed` is told of each item whose picture cannot be
    read, with the reason. `threads` that read and decode: more than the cores where pictures are fetched.
    """

    context: Context
    collection: Collection
    embedder: BatchedEmbedder
    failed: Callable[[Item, str], None]
    threads: int | None = None
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Make the threads that decode."""
        workers = self.threads or max(2, self.context.settings.model_threads)
        object.__setattr__(self, "_pool", ThreadPoolExecutor(workers, "decode", _step_back))

    def close(self) -> None:
        """Begin nothing further, and wait for what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def prepared(self, items: Iterable[Item]) -> Iterator[Prepared]:
        """Yield items with their prepared pictures, in order, decoded in threads a bounded way ahead."""
        running: deque[Future[Prepared | tuple[Item, InvalidRequest]]] = deque()
        source = iter(items)
        running.extend(self._pool.submit(self._prepare, item) for item in islice(source, _AHEAD))
        while running:
            done = running.popleft().result()
            running.extend(self._pool.submit(self._prepare, item) for item in islice(source, 1))
            if isinstance(done, Prepared):
                yield done
            else:
                self.failed(done[0], str(done[1]))

    def embedded(self, items: Iterable[Item]) -> Iterator[tuple[list[Prepared], NDArray[np.float32]]]:
        """Yield batches with their embeddings, in order; the next batch waits at the model while one is computed."""
        with ThreadPoolExecutor(2, "embed") as pool:
            running: deque[tuple[list[Prepared], Future[NDArray[np.float32]]]] = deque()
            for batch in chunks(self.prepared(items), BATCH):
                running.append((batch, pool.submit(self.embedder.embed, [one.pixels for one in batch])))
                if len(running) == 2:
                    first, embeddings = running.popleft()
                    yield first, embeddings.result()
            for batch, embeddings in running:
                yield batch, embeddings.result()

    def _prepare(self, item: Item) -> Prepared | tuple[Item, InvalidRequest]:
        try:
            data = item.read()
            picture, box = decoded(self.context, data, item.box)
            small = thumbnail(picture) if self.collection.thumbnails else None
            kept = data if self.collection.keep_images else None
            return Prepared(item, self.embedder.prepare(picture), small, kept, box)
        except InvalidRequest as error:
            return item, error
        except OSError as error:
            return item, InvalidRequest(f"the file cannot be read: {error.strerror}")


def _step_back() -> None:
    """Let the model's thread go first on a busy processor: it is what a load waits for, and decoding runs ahead of it.

    Linux gives each thread a niceness of its own; elsewhere nothing is changed.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _DECODING_NICENESS)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of `size`, the last one shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
