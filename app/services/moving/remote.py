"""Another engine's server is asked for JSON: again where it is busy, and with a sentence where it refuses."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError

from app.domain.errors import InvalidRequest, LookalikeError, Unauthorized
from app.domain.jsontext import dumps, loads
from app.domain.records import Json

_SECONDS = urllib3.Timeout(connect=10, read=60)
_TRIES = 5
_LONGEST_PAUSE_SECONDS = 60
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOST_BYTES = 256 * 2**20
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}
_SAID_BYTES = 65_536
_SAID_CHARACTERS = 200


class Asked(Protocol):
    """Answers a path, and a body where it is a POST, with a JSON object."""

    def __call__(self, path: str, body: Json = None, /) -> dict[str, Json]:
        """Ask.

        Raises:
            Unauthorized: the server does not take the token.
            InvalidRequest: it is not there, refuses, or answers with something else than a JSON object.

        """


def remote(url: str, headers: Mapping[str, str], pause_seconds: float = 1.0) -> Asked:
    """Return what asks a server: up to six times while it is busy, and after the pause that it asks for, 60 s at most.

    A server that cannot be connected to is tried three times.

    A redirect is not followed, as it would take the token elsewhere.

    Args:
        url: where the server's paths begin, http or https.
        headers: sent with each request, the token among them.
        pause_seconds: before the third try; each further one waits twice as long.

    Raises:
        InvalidRequest: the URL is none, or the token holds what no header can.

    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        named = False
    if not named:
        raise InvalidRequest(f"{url[:100]!r} is no URL of a server: it begins with http:// or https://")
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise InvalidRequest("the token holds a character that no token has")
    host = parts.netloc.rpartition("@")[2]
    retries = urllib3.Retry(
        _TRIES, connect=2, redirect=False, status_forcelist=_BUSY, allowed_methods=None, raise_on_status=False,
        backoff_factor=pause_seconds, backoff_max=_LONGEST_PAUSE_SECONDS, backoff_jitter=pause_seconds / 2,
        retry_after_max=_LONGEST_PAUSE_SECONDS,
    )  # fmt: skip
    pool = urllib3.PoolManager(timeout=_SECONDS, retries=retries, headers={**_JSON, **headers})

    def asked(path: str, body: Json = None, /) -> dict[str, Json]:
        return _object(_text(pool, url.rstrip("/") + path, host, body), host, url)

    return asked


def _text(pool: urllib3.PoolManager, url: str, host: str, body: Json) -> bytes:
    verb, data = ("GET", None) if body is None else ("POST", dumps(body).encode())
    try:
        answer = pool.request(verb, url, body=data, preload_content=False, redirect=False)
        with answer:
            text: bytes = answer.read(_MOST_BYTES + 1, decode_content=True)
    except (HTTPError, LocationParseError, OSError) as error:
        raise InvalidRequest(f"{host} cannot be reached: {_why(error)}") from None
    if answer.status != 200:
        raise _refusal(answer.status, host, text)
    if len(text) > _MOST_BYTES:
        raise InvalidRequest(f"an answer of {host} is longer than {_MOST_BYTES} bytes")
    return text


def _why(error: Exception) -> str:
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return str(reason).rpartition(": ")[2][:_SAID_CHARACTERS] or type(reason).__name__


def _object(text: bytes, host: str, url: str) -> dict[str, Json]:
    answer = loads(text, f"the answer of {host}")
    if not isinstance(answer, dict):
        raise InvalidRequest(f"the answer of {host} is no JSON object: is {url} the right address?")
    return answer


def _refusal(status: int, host: str, text: bytes) -> LookalikeError:
    said = _said(text)
    if status in {401, 403}:
        return Unauthorized(f"{host} does not take the token: it answers {status}{said}")
    if 300 <= status < 400:
        return InvalidRequest(f"{host} answers {status} and leads elsewhere: give the URL that it leads to")
    if status == 404:
        return InvalidRequest(f"{host} knows no such collection or path: it answers 404{said}")
    return InvalidRequest(f"{host} answers {status}{said}")


def _said(text: bytes) -> str:
    """Return what a server says beside its status: the longest text of its JSON, or nothing."""
    try:
        left: list[Json] = [loads(text[:_SAID_BYTES], "")]
    except InvalidRequest:
        return ""
    said = ""
    while left:
        one = left.pop()
        if isinstance(one, str):
            said = max(said, one, key=len)
        elif isinstance(one, (dict, list)):
            left += one.values() if isinstance(one, dict) else one
    return f": {said[:_SAID_CHARACTERS]}" if said else ""
