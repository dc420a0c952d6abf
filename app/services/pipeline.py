"""Pictures in bulk: decoded in threads ahead of the model, each step bounded, so that memory is flat."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from app.embedding.remembered import Box, Key, Seen
from app.services.context import Context
from app.services.vectors import checked_box, decoded, embed_each_once

T = TypeVar("T")

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
    """An item whose picture was read: what it is remembered by, and what is stored beside the vector.

    `pixels` is what the model takes of it or, where it is remembered, what the model gave for it.
    """

    item: Item
    key: Key
    pixels: NDArray[Any] | Seen
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

    def embedded(self, items: Iterable[Item]) -> Iterator[tuple[list[Prepared], list[NDArray[np.float32]]]]:
        """Yield batches with their embeddings, in order; the next batch waits at the model while one is computed."""
        with ThreadPoolExecutor(2, "embed") as pool:
            running: deque[tuple[list[Prepared], Future[list[NDArray[np.float32]]]]] = deque()
            for batch in self.batches(items):
                running.append((batch, pool.submit(self.embed, batch)))
                if len(running) == 2:
                    first, embeddings = running.popleft()
                    yield first, embeddings.result()
            for batch, embeddings in running:
                yield batch, embeddings.result()

    def batches(self, items: Iterable[Item]) -> Iterator[list[Prepared]]:
        """Yield prepared items in lists of two micro-batches of the model, so that it has the next one at hand."""
        return chunks(self.prepared(items), 2 * self.embedder.batch)

    def embed(self, batch: Sequence[Prepared]) -> list[NDArray[np.float32]]:
        """Return the embeddings of prepared items, in order, and remember them.

        Raises:
            Unavailable: the model is too busy.
            ModelFailed: the model raised an error on one of these pictures.

        """
        rows = embed_each_once(self.context, self.embedder, [(one.key, one.pixels) for one in batch])
        for one, row in zip(batch, rows, strict=True):
            if not isinstance(one.pixels, Seen):  # what is remembered may have a thumbnail that this load did not want
                self.context.remembered.put(one.key, Seen(row, one.thumbnail))
        return rows

    def _prepare(self, item: Item) -> Prepared | tuple[Item, InvalidRequest]:
        try:
            data = item.read()
            box = checked_box(item.box)
            key = Key.of(data, box, self.embedder.facts)
            kept = data if self.collection.keep_images else None
            known = self.context.remembered.get(key)
            if known is not None and (known.thumbnail is not None or not self.collection.thumbnails):
                return Prepared(item, key, known, known.thumbnail if self.collection.thumbnails else None, kept, box)
            picture = decoded(self.context, data, box)
            small = thumbnail(picture) if self.collection.thumbnails else None
            return Prepared(item, key, self.embedder.prepare(picture), small, kept, box)
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
