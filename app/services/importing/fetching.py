"""Pictures of an import that lie at URLs: hosts are spared, and asked only for what has changed."""

import threading
import time
from collections.abc import Iterable
from hashlib import sha256

from app.db import fetched as fetched_table
from app.db.fetched import Known
from app.db.replacing import Content
from app.domain.fetching import Validators, place_of
from app.domain.jobs import HandedBack
from app.embedding.fetch.patience import PatientHosts
from app.services.context import Context
from app.services.jobs.running import Running
from app.services.pipeline import NotChanged

# What no import has met for so long is forgotten, so that the table does not grow for ever.
_KEPT_DAYS = 400
_LOOK_SECONDS = 0.1


class FetchedPictures:
    """Fetches the pictures of one import, from any thread, which waits meanwhile.

    Args:
        context: the services.
        job: the run; its end ends what waits.

    """

    def __init__(self, context: Context, job: Running) -> None:
        self._context = context
        self._job = job
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._news: dict[bytes, Known] = {}
        self._any = False
        # One place of each host is left for requests, which queue for the same ones.
        per_host = max(1, context.settings.fetch_host_workers - 1)
        self.hosts = PatientHosts(context.settings.fetch.patience, per_host, self._sleep)

    def known(self, wanted: Iterable[tuple[str, Content]]) -> dict[str, Validators]:
        """Return what to ask hosts with, by URL, where what was fetched of it is the stored picture.

        Args:
            wanted: URLs, each with what the picture of the stored record is known by.

        """
        places = {url: (place_of(url), stored.digest) for url, stored in wanted if stored.digest is not None}
        if not places:
            return {}
        found = fetched_table.known(self._context.db, [place for place, _ in places.values()])
        return {
            url: found[place].validators
            for url, (place, digest) in places.items()
            if place in found and found[place].digest == digest
        }

    def read(self, url: str, known: Validators | None) -> bytes:
        """Return what lies at a URL.

        Raises:
            ImageError: it cannot be had.
            NotChanged: it is what it was when the host gave `known`.
            Stopped: the job is to stop.

        """
        found = self.hosts.call(url, lambda: self._context.pictures.fetch(url, known))
        if found.data is None:
            raise NotChanged
        if found.validators is not None:
            with self._lock:
                self._news[place_of(url)] = Known(sha256(found.data).digest(), found.validators)
        return found.data

    def note(self) -> None:
        """Write down what hosts gave; before the records are written, so that it is there whatever happens."""
        with self._lock:
            news, self._news = self._news, {}
        if news:
            fetched_table.note(self._context.db, news)
            self._any = True

    def close(self) -> None:
        """End what waits, and note the rest."""
        self._closed.set()
        if self._any:
            fetched_table.forget(self._context.db, _KEPT_DAYS)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._job.safe_point()
            if self._closed.wait(min(left, _LOOK_SECONDS)):
                raise HandedBack  # the run has ended already
