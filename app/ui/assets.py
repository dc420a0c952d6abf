"""Style sheets, scripts and icons: under a path with the hash of all of them, so that browsers keep them for good."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and compressed with gzip."""

    media_type: str
    data: bytes
    small: bytes


@cache
def assets() -> dict[str, Asset]:
    """Return all files by their path below the folder; they are read once."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            data = path.read_bytes()
            name = path.relative_to(FOLDER).as_posix()
            found[name] = Asset(_TYPES[path.suffix], data, gzip.compress(data, 9, mtime=0))
    return found


@cache
def version() -> str:
    """Return the hash of all files, 16 hexadecimal digits: a change of one of them changes it.

    One for all, so that a module may import another by its plain name.
    """
    whole = hashlib.sha256()
    for name, asset in assets().items():
        whole.update(name.encode() + b"\0" + asset.data)
    return whole.hexdigest()[:16]
