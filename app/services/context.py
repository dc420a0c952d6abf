"""Every service function is given the context: the database, the models, the way to pictures, the settings."""

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cachetools import TTLCache

from app.config import Settings
from app.db import collections, tokens
from app.db.bell import Bell
from app.db.engine import Database
from app.domain.collections import Collection
from app.domain.errors import LookalikeError
from app.domain.freshness import LOOKING_UP, asking
from app.domain.searches import SearchObserver
from app.domain.tokens import Principal, digest
from app.embedding.fetch.sources import PictureSource
from app.embedding.models.batching import Models
from app.embedding.models.vector_cache import VectorCache
from app.embedding.tags.tagger import Tagger
from app.metrics import Metrics
from app.services.audit import Audit
from app.services.limiting import Limiter
from app.services.sharing import ALONE, Sharing
from app.services.tokenuse import TokenUse
from app.services.traffic import Traffic

log = logging.getLogger(__name__)


class Lookup:
    """Tokens and collections, remembered for `auth_cache_seconds`: what is older is read anew.

    So a revoked token works for no longer than that, and a new index is used and an alias followed no later than that;
    at once where the change was made here, and where it is heard of (`Bell`).
    What is *not* found is never remembered: a new token or collection works at once.
    """

    def __init__(
        self,
        db: Database,
        freshness_seconds: float,
        limiter: Limiter,
        public_url: str | None = None,
        sharing: Sharing = ALONE,
        *,
        read_only: bool = False,
    ) -> None:
        self._db = db
        self.limiter = limiter
        self._read_only = read_only
        self._sharing = sharing
        self._told = b"" if sharing.changes is None else sharing.changes.told()
        self.public_url = public_url
        self.uses = TokenUse(db)
        self._lock = threading.Lock()
        self._changes = 0
        self._tokens: TTLCache[bytes, Principal] = TTLCache(maxsize=4096, ttl=freshness_seconds)
        self._collections: TTLCache[str, Collection] = TTLCache(maxsize=4096, ttl=freshness_seconds)

    def principal(self, token: str) -> Principal | None:
        """Return what a token may do, and note its use; None where it is unknown, revoked or has expired."""
        key = digest(token)
        self._follow()
        with self._lock:
            known, changes = self._tokens.get(key), self._changes
        if known is None:
            with asking(LOOKING_UP):
                known = tokens.find(self._db, key)
            if known is not None:
                known = replace(known, reads_only=self._read_only)
                with self._lock:
                    if changes == self._changes:  # else it may have been read before it was changed
                        self._tokens[key] = known
        if known is not None and not self._read_only:
            self.uses.noted(known.token_id)
        return known

    def collection(self, name: str, *, anew: bool = False) -> Collection:
        """Return a collection by its name or an alias; read it `anew` whatever is remembered.

        Raises:
            CollectionNotFound: there is none of this name.

        """
        self._follow()
        with self._lock:
            known, changes = None if anew else self._collections.get(name), self._changes
        if known is None:
            with asking(LOOKING_UP):
                known = collections.get(self._db, name)
            with self._lock:
                if changes == self._changes:
                    self._collections[name] = known
        return known

    def forget(self, name: str) -> None:
        """Read a collection anew at the next call, under each of its names: it was dropped, or its indexes changed.

        Also where `name` is an alias: it leads to another one now.
        """
        with self._lock:
            self._changes += 1
            for key in [key for key, known in self._collections.items() if name in (key, known.name)]:
                self._collections.pop(key, None)
        self._tell()

    def changed_tokens(self) -> None:
        """Read every token anew at its next use, in all processes of the server: one was changed or revoked here."""
        self.forget_tokens()
        self._tell()

    def forget_tokens(self) -> None:
        """Read every token anew at its next use: one was changed or revoked."""
        with self._lock:
            self._changes += 1
            self._tokens.clear()

    def forget_collections(self) -> None:
        """Read every collection anew at its next use: one was changed or dropped, or an alias set."""
        with self._lock:
            self._changes += 1
            self._collections.clear()

    def _tell(self) -> None:
        if self._sharing.changes is not None:
            self._sharing.changes.tell(self._sharing.place)

    def _follow(self) -> None:
        """Forget all where another process of the server has changed something since."""
        if self._sharing.changes is None or (told := self._sharing.changes.told()) == self._told:
            return
        self._told = told
        self.forget_tokens()
        self.forget_collections()


class Builds:
    """A process looks after collections, their indexes or what expires: each of them now and then, once at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[int, float] = {}
        self._running: set[int] = set()

    def begin(self, collection_id: int, pause_seconds: float) -> bool:
        """Say whether to look at an index now: nobody is at it, and nobody was within the pause; then call `end`."""
        now = time.monotonic()
        with self._lock:
            if collection_id in self._running or now < self._next.get(collection_id, now):
                return False
            self._next[collection_id] = now + pause_seconds
            self._running.add(collection_id)
            return True

    def end(self, collection_id: int, pause_seconds: float = 0.0) -> None:
        """Say that the look is over; `pause_seconds` puts the next one off."""
        with self._lock:
            self._running.discard(collection_id)
            if pause_seconds:
                self._next[collection_id] = time.monotonic() + pause_seconds


@dataclass(frozen=True)
class Context:
    """The parts that services work with, and the one owner of what lives on between requests.

    Made once, by `create_app` or the command line; `open` starts threads and connections in the process that uses
    them, as threads do not survive a fork, and `close` ends them.
    """

    settings: Settings
    db: Database
    models: Models
    pictures: PictureSource
    vector_cache: VectorCache
    tagger: Tagger
    lookup: Lookup
    audit: Audit
    metrics: Metrics
    traffic: Traffic
    bell: Bell
    """It rings when a job changes."""
    watchers: threading.BoundedSemaphore
    """The places of those that wait for a job, or follow one."""
    observers: tuple[SearchObserver, ...] = ()
    """Observers are told of searches; only a server has any."""
    builds: Builds = field(default_factory=Builds)
    expiries: Builds = field(default_factory=Builds)
    crowds: Builds = field(default_factory=Builds)
    closed: threading.Event = field(default_factory=threading.Event)
    """It is set when the context is closed, for threads that look after things now and then."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """It is set once the server is told to stop: it still answers, and is not ready."""

    def written(self, collection_id: int) -> str | None:
        """Return what a read must have seen to know of all that was written to a collection; None without replicas."""
        return self.db.version(collection_id)

    def open(self) -> None:
        """Begin to connect to the database, and start the observers' threads; models are loaded at their first use."""
        self.closed.clear()
        self.db.open()
        self.audit.open()
        for observer in self.observers:
            observer.open()

    def close(self) -> None:
        """End all threads and connections; what waits to be written is."""
        self.closed.set()
        for observer in self.observers:
            observer.close()
        self.audit.close()
        try:
            self.lookup.uses.write(timedelta())
        except LookalikeError as error:
            log.warning("when tokens were used last was not noted: %s", error)
        self.bell.close()
        self.pictures.close()
        self.models.close()
        self.db.close()
