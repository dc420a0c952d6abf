"""Files as they were before they were compressed: gzip and zstd are told by their first bytes."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from app.domain.errors import InvalidRequest

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK = 2**20
# The window that a decoder keeps in memory; what `zstd` writes without `--ultra` needs 8 MiB at most.
_WINDOW = 2**26


@contextmanager
def unpacked(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file, compressed by gzip or zstd or not.

    Raises:
        InvalidRequest: it cannot be opened, or turns out to be damaged or cut short while it is read.

    """
    try:
        with path.open("rb") as raw:
            head = raw.read(4)
            raw.seek(0)
            stream = raw
            if head.startswith(_GZIP):
                stream = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)), _BLOCK)
            elif head == _ZSTD:
                decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
                stream = io.BufferedReader(_Frames(decoder.stream_reader(raw, read_across_frames=True)), _BLOCK)
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError):
        raise InvalidRequest("the source is compressed, and damaged or cut short") from None
    except OSError as error:
        raise InvalidRequest(f"the source cannot be read: {error.strerror or 'it is damaged'}") from None


class _Frames(io.RawIOBase):
    """What zstandard reads, as a raw stream."""

    def __init__(self, reader: zstandard.ZstdDecompressionReader) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return int(self._reader.readinto(buffer))


def skip(stream: BinaryIO, count: int) -> None:
    """Read past so many bytes; sought, where the stream can.

    Raises:
        InvalidRequest: it has fewer: it is another than it was.

    """
    if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO):
        stream.seek(count)
        return
    left = count
    while left and (block := stream.read(min(left, _BLOCK))):
        left -= len(block)
    if left:
        raise InvalidRequest("the source is shorter than it was when the job began")
