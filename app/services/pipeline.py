"""Pictures in bulk: decoded in threads ahead of the model, each step bounded, so that memory is flat."""

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.db.replacing import Content
from app.domain.collections import Collection
from app.domain.errors import ImageError, InvalidRequest
from app.domain.records import Json
from app.embedding.models.batching import BatchedEmbedder
from app.embedding.models.vector_cache import Box, Cached, Key
from app.embedding.pictures.images import thumbnail
from app.services.chunking import chunks
from app.services.context import Context
from app.services.given import given_embedding
from app.services.vectors import checked_box, decoded, embed_each_once

# Decode at most this many pictures ahead of the model, and no more once they hold this many bytes.
_AHEAD = 64
_AHEAD_BYTES = 16 * 2**20
_DECODING_NICENESS = 5
_NO_PICTURE = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Item:
    """One record: its `_id`, its attributes, how to read its picture's bytes, and which part of the picture it is.

    `place` says where it comes from: a path in a folder, a line of a file. `size` is how many bytes it holds in memory
    until its picture is read, or what its picture will take. `former` is the `_id` that earlier versions gave the file.
    `stored` is what the picture of the stored record of this `_id` is known by, where it may be the same one.
    `embedding` is the `_embedding` that an export wrote; where it fits the collection, a picture is read only if the
    record brings it along (`inline`). `url` is where `read` fetches the picture from, where it does, and may wait for
    long; `unchanged`: its host said that it is the stored one.
    """

    id: str
    attributes: dict[str, Json]
    read: Callable[[], bytes]
    box: Json = None
    place: str = ""
    size: int = 0
    former: str | None = None
    embedding: Json = None
    inline: bool = False
    stored: Content | None = None
    url: str | None = None
    unchanged: bool = False


class NotChanged(Exception):
    """A picture was not fetched: its host says that it is the one that is stored."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file or line was met and is not stored: where, and why. `passed_over`: it was not meant to be a record.

    `hides`: records may lie behind it. `id` is the record's `_id`, None where it has none that can be told.
    """

    place: str
    reason: str
    id: str | None = None
    passed_over: bool = False
    hides: bool = False


@dataclass(frozen=True, slots=True)
class PreparedItem:
    """An item whose picture was read: what it is remembered by, and what is stored beside the vector.

    `pixels` is what the model takes of it or, where it is remembered, what the model gave for it.
    """

    item: Item
    key: Key
    pixels: NDArray[Any] | Cached
    thumbnail: bytes | None
    original: bytes | None
    box: Box | None

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of the picture; None where there is none, but a vector alone."""
        return None if self.key.digest == _NO_PICTURE else self.key.digest


class Pipeline:
    """Reads pictures in bulk, ahead of the model.

    `collection` says whether thumbnails and originals are made; `failed` is called with each item whose picture
    cannot be read and the reason, `same` with each whose picture is the stored one. `settled` says of a prepared item
    whether it goes no further. `threads` read and decode: more than the cores where pictures are fetched; `fetchers`
    are threads of their own for items with a URL, which wait for hosts.
    """

    def __init__(
        self,
        context: Context,
        collection: Collection,
        embedder: BatchedEmbedder,
        failed: Callable[[Item, str], None],
        threads: int | None = None,
        same: Callable[[Item], None] = lambda _: None,
        settled: Callable[[PreparedItem], bool] = lambda _: False,
        fetchers: int = 0,
    ) -> None:
        self._context = context
        self._collection = collection
        self._embedder = embedder
        self._failed = failed
        self._same = same
        self._settled = settled
        self._pool = ThreadPoolExecutor(threads or max(2, context.settings.model_threads), "decode", _step_back)
        self._fetchers = ThreadPoolExecutor(fetchers, "fetch") if fetchers else None

    def close(self) -> None:
        """Begin nothing further, and wait for what runs."""
        if self._fetchers is not None:
            self._fetchers.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def prepared(self, items: Iterable[Item]) -> Iterator[PreparedItem]:
        """Yield items with their prepared pictures, in order, decoded in threads a bounded way ahead."""
        running: deque[tuple[Item, Future[PreparedItem | Item | InvalidRequest]]] = deque()
        source = iter(items)
        held = 0

        def fill() -> None:
            nonlocal held
            while len(running) < _AHEAD and held <= _AHEAD_BYTES and (item := next(source, None)) is not None:
                held += item.size
                running.append((item, self._begun(item)))

        fill()
        while running:
            item, future = running.popleft()
            done = future.result()
            held -= item.size
            del future  # its own reference would hold the picture while the next one is waited for
            fill()
            if isinstance(done, PreparedItem):
                if not self._settled(done):
                    yield done
            elif isinstance(done, Item):
                self._same(done)
            else:
                self._failed(item, str(done))

    def embedded(self, items: Iterable[Item]) -> Iterator[tuple[list[PreparedItem], list[NDArray[np.float32]]]]:
        """Yield batches with their embeddings, in order; the next batch waits at the model while one is computed."""
        with ThreadPoolExecutor(2, "embed") as pool:
            running: deque[tuple[list[PreparedItem], Future[list[NDArray[np.float32]]]]] = deque()
            for batch in self.batches(items):
                running.append((batch, pool.submit(self.embed, batch)))
                if len(running) == 2:
                    first, embeddings = running.popleft()
                    yield first, embeddings.result()
            for batch, embeddings in running:
                yield batch, embeddings.result()

    def batches(self, items: Iterable[Item]) -> Iterator[list[PreparedItem]]:
        """Yield prepared items in lists of two micro-batches of the model, so that it has the next one at hand."""
        return chunks(self.prepared(items), 2 * self._embedder.batch, lambda one: len(one.original or b""))

    def embed(self, batch: Sequence[PreparedItem]) -> list[NDArray[np.float32]]:
        """Return the embeddings of prepared items, in order, and remember them.

        Raises:
            Unavailable: the model is too busy.
            ModelFailed: the model raised an error on one of these pictures.

        """
        rows = embed_each_once(self._context, self._embedder, [(one.key, one.pixels) for one in batch])
        for one, row in zip(batch, rows, strict=True):
            if not isinstance(one.pixels, Cached):  # which may have a thumbnail that this load did not want
                self._context.vector_cache.put(one.key, Cached(row, one.thumbnail))
        return rows

    def _begun(self, item: Item) -> Future[PreparedItem | Item | InvalidRequest]:
        if item.url is None or self._fetchers is None:
            return self._pool.submit(self._prepare, item)
        return self._fetchers.submit(self._fetch, item)

    def _fetch(self, item: Item) -> PreparedItem | Item | InvalidRequest:
        """Fetch a picture on a thread that may wait; decode it on one of those that do."""
        try:
            data = item.read()
        except InvalidRequest as error:
            return error
        except NotChanged:
            return replace(item, read=_was_read, unchanged=True)
        except OSError as error:
            return InvalidRequest(f"the file cannot be read: {error.strerror}")
        return self._pool.submit(self._prepare, replace(item, read=lambda: data)).result()

    def _prepare(self, item: Item) -> PreparedItem | Item | InvalidRequest:
        """Read and decode a picture; return the item itself where its picture is the stored one."""
        try:
            box = checked_box(item.box)
            given = given_embedding(item.embedding, self._collection)
            if given is not None and not item.inline:
                key = Key.of(b"", box, self._embedder.facts)
                return PreparedItem(replace(item, read=_was_read), key, Cached(given), None, None, box)
            data = item.read()
            item = replace(item, read=_was_read)  # what it held to read the picture is free now
            key = Key.of(data, box, self._embedder.facts)
            if given is None and item.stored == (key.digest, box):
                return item
            return self._looked_at(item, key, data, given)
        except InvalidRequest as error:
            if item.embedding is not None and not item.inline and isinstance(error, ImageError):
                return InvalidRequest(f"{error}; its _embedding is of another model or revision than the collection's")
            return error
        except OSError as error:
            return InvalidRequest(f"the file cannot be read: {error.strerror}")

    def _looked_at(self, item: Item, key: Key, data: bytes, given: NDArray[np.float32] | None) -> PreparedItem:
        """Decode a picture, unless what is wanted of it is given or remembered."""
        kept = data if self._collection.keep_images else None
        known = self._context.vector_cache.get(key) if given is None else None
        if known is not None and (known.thumbnail is not None or not self._collection.thumbnails):
            return PreparedItem(
                item, key, known, known.thumbnail if self._collection.thumbnails else None, kept, key.box
            )
        picture = decoded(self._context, data, key.box)
        small = thumbnail(picture) if self._collection.thumbnails else None
        pixels = self._embedder.prepare(picture) if given is None else Cached(given)
        return PreparedItem(item, key, pixels, small, kept, key.box)


def _was_read() -> bytes:
    raise AssertionError("a picture is read once")


def _step_back() -> None:
    """Let the model's thread go first on a busy processor: it is what a load waits for, and decoding runs ahead of it.

    Linux gives each thread a niceness of its own; elsewhere nothing is changed.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _DECODING_NICENESS)
