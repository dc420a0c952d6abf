"""Where a record's picture comes from: `_base64`, `_url`, `_file`, in that order."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from app.domain.errors import ImageError
from app.embedding.fetch import FetchPolicy, fetch
from app.embedding.images import ImageLimits

_DATA_URI = re.compile(r"data:[^,;]{0,100}(;[^,;]{0,100}){0,10},", re.IGNORECASE)
_SPACE = str.maketrans("", "", " \t\r\n")
_URL_SAFE = str.maketrans("-_", "+/")


class PictureSource:
    """Reads the bytes of pictures; the downloads of a batch run side by side.

    Args:
        files_root: folder under which `_file` is opened; None: it never is.
        limits: size of one picture at most.
        policy: what may be fetched.
        workers: downloads at the same time.

    """

    def __init__(self, files_root: Path | None, limits: ImageLimits, policy: FetchPolicy, workers: int = 8) -> None:
        self._root = files_root.resolve() if files_root is not None else None
        self._limits = limits
        self._policy = policy
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="fetch")

    def read_many(self, records: Sequence[Mapping[str, object]]) -> list[bytes | ImageError]:
        """Return each record's picture, or the error that says why there is none, in order.

        A URL that stands in several records is fetched once.
        """
        urls: dict[str, Future[bytes]] = {}
        for record in records:
            url = record.get("_url")
            if not record.get("_base64") and isinstance(url, str) and url and url not in urls:
                urls[url] = self._pool.submit(fetch, url, self._policy)
        return [self._read(record, urls) for record in records]

    def _read(self, record: Mapping[str, object], urls: Mapping[str, Future[bytes]]) -> bytes | ImageError:
        try:
            if record.get("_base64"):
                return from_base64(record["_base64"], self._limits.max_bytes)
            if record.get("_url"):
                url = record["_url"]
                if not isinstance(url, str):
                    raise ImageError("_url must be a string")
                return urls[url].result()
            if record.get("_file"):
                return self._from_file(record["_file"])
        except ImageError as error:
            return error
        return ImageError("the record has no picture: give it _base64, _url or _file")

    def _from_file(self, name: object) -> bytes:
        if not isinstance(name, str):
            raise ImageError("_file must be a string")
        if self._root is None:
            raise ImageError("_file is not opened by this server: send the picture as _base64 or _url")
        try:
            path = (self._root / name).resolve()
            if not path.is_relative_to(self._root) or not path.is_file():
                raise ImageError("_file names no file that this server may open")
            if path.stat().st_size > self._limits.max_bytes:
                raise ImageError(f"the picture is larger than the {self._limits.max_bytes} bytes that are allowed")
            return path.read_bytes()
        except (OSError, ValueError):
            raise ImageError("_file names no file that this server may open") from None


def from_base64(value: object, max_bytes: int) -> bytes:
    """Return the bytes of base64 text, bare or as a `data:` URI; white space and the URL-safe alphabet are taken.

    Raises:
        ImageError: it is not base64, or longer than allowed.

    """
    if not isinstance(value, str):
        raise ImageError("_base64 must be a string")
    text = value[match.end() :] if (match := _DATA_URI.match(value)) else value
    text = text.translate(_SPACE).translate(_URL_SAFE)
    if len(text) > max_bytes * 4 // 3 + 4:
        raise ImageError(f"the picture is larger than the {max_bytes} bytes that are allowed")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ImageError("_base64 is not valid base64") from None
