"""A cache of the vectors of recent pictures, by their content: the same picture is not decoded and embedded again.

It is bounded in bytes; the longest unused goes first. Of callers that come with one picture at the same time one
computes, and the others wait for it.
"""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from app.embedding.models.base import ModelFacts

Box = tuple[int, int, int, int]
_OVERHEAD_BYTES = 900  # of an entry beside its vector and its thumbnail: keys, objects and three dictionaries' places


@dataclass(frozen=True, slots=True)
class Key:
    """A picture as one model sees it: SHA-256 of its encoded bytes, the part that is looked at, model and revision."""

    digest: bytes
    box: Box | None
    model: str
    revision: str

    @classmethod
    def of(cls, data: bytes, box: Box | None, facts: ModelFacts) -> "Key":
        """Return the key of an encoded picture."""
        return cls(hashlib.sha256(data).digest(), box, facts.name, facts.revision)


@dataclass(frozen=True, slots=True)
class Cached:
    """A picture is kept as its vector, float32 of unit length, and the thumbnail (WebP) if one was made."""

    embedding: NDArray[np.float32]
    thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A place for what is computed of a picture; by the holder where it is `mine`, else by somebody else, or done."""

    key: Key
    mine: bool
    result: "Future[Cached]" = field(default_factory=Future)

    @classmethod
    def done(cls, key: Key, entry: Cached) -> "Claim":
        """Return a claim of nobody's: what is made of the picture is there."""
        made = cls(key, mine=False)
        made.result.set_result(entry)
        return made


@dataclass(frozen=True, slots=True)
class Figures:
    """Use of the cache since the process began: claims met and not met, entries, and their `size` in bytes."""

    hits: int
    misses: int
    entries: int
    size: int


class VectorCache:
    """The cache, safe for threads.

    Args:
        max_bytes: vectors, thumbnails and their keys together, at most; 0 keeps nothing.

    """

    def __init__(self, max_bytes: int) -> None:
        self._stored: LRUCache[Key, Cached] = LRUCache(max_bytes, getsizeof=_size)
        self._running: dict[Key, Claim] = {}
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    def get(self, key: Key) -> Cached | None:
        """Return what is stored of a picture, without waiting for anybody; it is not counted."""
        with self._lock:
            return self._stored.get(key)

    @contextmanager
    def claims(self) -> Iterator["Claims"]:
        """Give one caller's claims. Those of its own that it has not settled at the end fail, so that nobody waits on.

        Wait for other callers' claims only after this block, or two callers may deadlock.
        """
        made = Claims(self)
        try:
            yield made
        except BaseException as error:
            made.abandon(error)
            raise
        made.abandon(RuntimeError("a picture was claimed and not computed"))

    def put(self, key: Key, entry: Cached) -> None:
        """Store what was computed; it replaces what is stored of the picture."""
        embedding = np.array(entry.embedding, np.float32)  # a row of its own: it may be part of a large batch
        embedding.flags.writeable = False
        own = replace(entry, embedding=embedding)
        with self._lock:
            if _size(own) <= self._stored.maxsize:
                self._stored[key] = own

    def figures(self) -> Figures:
        """Return how the cache was used."""
        with self._lock:
            return Figures(self._hits, self._misses, len(self._stored), int(self._stored.currsize))

    def _claim(self, key: Key) -> Claim:
        with self._lock:
            stored = self._stored.get(key)
            running = self._running.get(key)
            hit = stored is not None or running is not None
            self._hits += hit
            self._misses += not hit
            if stored is not None:
                return Claim.done(key, stored)
            if running is not None:
                return Claim(key, mine=False, result=running.result)
            own = self._running[key] = Claim(key, mine=True)
            return own

    def _end(self, claim: Claim) -> None:
        with self._lock:
            self._running.pop(claim.key, None)


class Claims:
    """The claims of one caller."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache
        self._open: dict[Key, Claim] = {}

    def claim(self, key: Key) -> Claim:
        """Return a claim: to be settled where it is `mine`."""
        made = self._cache._claim(key)
        if made.mine:
            self._open[key] = made
        return made

    def settle(self, claim: Claim, entry: Cached) -> None:
        """Store what was computed and give it to those who wait."""
        self._cache.put(claim.key, entry)
        self._cache._end(claim)
        del self._open[claim.key]
        claim.result.set_result(entry)

    def fail(self, claim: Claim, error: BaseException) -> None:
        """Give an error to those who wait; nothing is stored, and the next caller tries again."""
        self._cache._end(claim)
        del self._open[claim.key]
        claim.result.set_exception(error)

    def abandon(self, error: BaseException) -> None:
        """Fail whatever is not settled."""
        for claim in list(self._open.values()):
            self.fail(claim, error)


def _size(entry: Cached) -> int:
    return entry.embedding.nbytes + len(entry.thumbnail or b"") + _OVERHEAD_BYTES
