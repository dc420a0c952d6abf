"""A record's picture comes from `_base64`, `_url` or `_file`, in that order."""

import base64
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from pathlib import Path

from app.domain.errors import ImageError
from app.domain.fetching import Fetched, Validators
from app.domain.options import FetchPolicy, ImageLimits
from app.domain.waiting import aside
from app.embedding.fetch.answers import Transient
from app.embedding.fetch.downloads import fetch_if_changed
from app.embedding.fetch.turns import HostTurns, host_of
from app.metrics import Metrics, families

_DATA_URI = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_SPACE = b" \t\r\n"
_CLOSED_FILE = "_file names no file that this server may open"


class PictureSource:
    """Reads the bytes of pictures; the downloads of a batch run side by side.

    Args:
        files_root: folder under which `_file` is opened; None: it never is.
        limits: size of one picture at most.
        policy: what may be fetched.
        workers: downloads at the same time, over all batches; of one host at most `policy.per_host`.
        metrics: what is told of downloads.

    """

    def __init__(
        self,
        files_root: Path | None,
        limits: ImageLimits,
        policy: FetchPolicy,
        workers: int = 8,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._root = files_root.resolve() if files_root is not None else None
        self._limits = limits
        self._policy = policy
        self._turns = HostTurns(workers, policy.per_host)

    def read_many(self, records: Sequence[Mapping[str, object]]) -> list[bytes | ImageError]:
        """Return each record's picture, or the error that says why there is none, in order.

        A URL that stands in several records is fetched once. The time limit of a download counts from when it begins;
        all of them together get twice that limit, so that a batch waits as long again at most for its turn.

        Raises:
            Unavailable: too many requests of this server wait for downloads.

        """
        wanted = dict.fromkeys(url for record in records if (url := _wanted_url(record)) is not None)
        if not wanted:
            return self._read_all(records, {})
        with aside():
            urls = {url: self._turns.submit(host_of(url), partial(self._fetched, url)) for url in wanted}
            return self._read_all(records, urls)

    def fetch(self, url: str, known: Validators | None) -> Fetched:
        """Return what lies at a URL, unless it has not changed; its host's turn is waited for however long it takes.

        Raises:
            ImageError: it cannot be had.

        """
        try:
            return self._turns.submit(host_of(url), partial(self._fetched_if_changed, url, known)).result()
        except CancelledError:
            raise ImageError("downloads have ended") from None

    def _read_all(
        self, records: Sequence[Mapping[str, object]], urls: Mapping[str, Future[bytes]]
    ) -> list[bytes | ImageError]:
        deadline = time.monotonic() + 2 * self._policy.total_timeout_seconds
        return [self._read(record, urls, deadline) for record in records]

    def _fetched(self, url: str) -> bytes:
        return self._fetched_if_changed(url, None).data or b""

    def _fetched_if_changed(self, url: str, known: Validators | None) -> Fetched:
        outcome = "failed"
        try:
            with self._metrics.timed("fetch"):
                found = fetch_if_changed(url, self._policy, known)
            outcome = "unchanged" if found.data is None else "ok"
        except Transient:
            outcome = "transient"
            raise
        finally:
            self._metrics.count(families.FETCHES, outcome)
        return found

    def close(self) -> None:
        """Begin no further download; those that run end by themselves, at their deadline at the latest."""
        self._turns.close()

    def _read(
        self, record: Mapping[str, object], urls: Mapping[str, Future[bytes]], deadline: float
    ) -> bytes | ImageError:
        try:
            if record.get("_base64"):
                return from_base64(record["_base64"], self._limits.max_bytes)
            if record.get("_url"):
                return self._from_url(record["_url"], urls, deadline)
            if record.get("_file"):
                return self._from_file(record["_file"])
        except ImageError as error:
            return error
        return ImageError("the record has no picture: give it _base64, _url or _file")

    def _from_url(self, url: object, urls: Mapping[str, Future[bytes]], deadline: float) -> bytes:
        if not isinstance(url, str):
            raise ImageError("_url must be a string")
        try:
            return urls[url].result(timeout=max(0.0, deadline - time.monotonic()))
        except (FutureTimeout, CancelledError):  # the second: by the line below for an earlier record, or by close()
            urls[url].cancel()
            raise ImageError("too many downloads wait for their turn; try again in a moment") from None

    def _from_file(self, name: object) -> bytes:
        if not isinstance(name, str):
            raise ImageError("_file must be a string")
        if self._root is None:
            raise ImageError("_file is not opened by this server: send the picture as _base64 or _url")
        try:
            path = (self._root / name).resolve()
            if not path.is_relative_to(self._root) or not path.is_file():
                raise ImageError(_CLOSED_FILE)
            with path.open("rb") as stream:
                data = stream.read(self._limits.max_bytes + 1)
        except (OSError, ValueError, RuntimeError):  # a name with NUL in it is a ValueError, a ring of links the last
            raise ImageError(_CLOSED_FILE) from None
        if len(data) > self._limits.max_bytes:
            raise ImageError(f"the picture is larger than the {self._limits.max_bytes} bytes that are allowed")
        return data


def _wanted_url(record: Mapping[str, object]) -> str | None:
    """Return the URL that a record's picture is fetched from; None where it comes from elsewhere."""
    url = record.get("_url")
    return url if isinstance(url, str) and url and not record.get("_base64") else None


def from_base64(value: object, max_bytes: int) -> bytes:
    """Return the bytes of base64 text, bare or as a `data:` URI.

    White space, the URL-safe alphabet and missing padding are taken; any other character is an error.

    Raises:
        ImageError: it is not base64, or longer than allowed.

    """
    if not isinstance(value, str):
        raise ImageError("_base64 must be a string")
    start = match.end() if (match := _DATA_URI.match(value)) else 0
    try:
        text = value[start:].encode("ascii").translate(_URL_SAFE, delete=_SPACE)
        if len(text) > max_bytes * 4 // 3 + 4:
            raise ImageError(f"the picture is larger than the {max_bytes} bytes that are allowed")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ImageError("_base64 is not valid base64") from None
