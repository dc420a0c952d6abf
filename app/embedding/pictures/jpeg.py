"""A JPEG file's headers are checked before any of it is decoded."""

import re
from dataclasses import dataclass

from app.domain.errors import ImageError

START = b"\xff\xd8\xff"

# A progressive JPEG has some ten scans. Each costs a pass over all pixels and may be but some bytes long: without a
# limit, a file of 20 MB keeps a core busy for hours.
_MAX_SCANS = 100
# Pillow reads segments, and what fills the space between them, step by step in Python: 20 MB of them keep all threads
# waiting for seconds. Cameras write some dozens of segments, a few hundred with large metadata, and nothing between.
_MAX_SEGMENTS = 5000
_MAX_GAP = 1000

# A code that has a meaning of its own: not a 0xFF among the pixels (00), filling (FF), or one without a body
# (TEM, RSTn).
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_FILLING = re.compile(rb"\xff*")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn, without the tables and the extension between them
_END_MARKER, _SCAN_MARKER = b"\xff\xd9", b"\xff\xda"
_COEFFICIENTS = 64

_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_NOISE = (b"\xb6\x6d\xdb" * 99, b"\x6a\x95\xcc\x33\xf0" * 60, b"\xfe" * 300)
"""Bits that no picture goes on with."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG that may be decoded.

    `data`: the file, without filling between its segments and with an end. `others`: where the file lacked its end, the
    same with other ones. The pixels are all there if each gives the same: what follows the last of them changes none.
    """

    data: bytes
    others: tuple[bytes, ...] = ()


def checked(data: bytes) -> Jpeg:
    """Return a JPEG file as decoders like it; refuse one that is cheap to write and dear to read.

    Walks from marker to marker as libjpeg does, and stops where it does, at the end of the first picture. Searching the
    whole file for a marker would count what is none: telephones write a short film behind the photo.

    Raises:
        ImageError: it has too many scans or segments, or lacks scans that hold pixels.

    """
    walk = _Walk(data)
    walk.go()
    if not walk.scans:
        raise ImageError("the picture is damaged or not complete, and cannot be decoded")
    if walk.gaps:
        data = b"".join([data[:2], *walk.segments, data[walk.first_scan :]])
    if walk.ended:
        return Jpeg(data)
    if not walk.is_complete():
        raise ImageError("the JPEG picture is damaged or not complete: it ends before its last scan")
    data = data.rstrip(b"\xff")  # half of an end marker
    restarts = _RESTART.findall(data, data.rindex(_SCAN_MARKER))
    following = b"\xff" + bytes([0xD0 + (restarts[-1][0] + 1) % 8 if restarts else 0xD0])
    return Jpeg(data + _END_MARKER, tuple(data + noise + following + noise + _END_MARKER for noise in _NOISE))


class _Walk:
    """A way through the segments of a file, and what was met."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._count = 0
        self._missing: dict[int, set[int]] = {}  # component -> coefficients of which bits are still to come
        self.scans = 0
        self.first_scan = len(data)
        self.gaps = False  # filling before the first scan
        self.segments: list[bytes] = []  # before the first scan
        self.ended = False

    def go(self) -> None:
        data, place = self._data, 2  # behind the start of the picture
        while match := _MARKER.search(data, place):
            code = match[1][0]
            length = int.from_bytes(data[match.end() : match.end() + 2])
            if not self.scans and match.start() > place:
                # Filling is taken out whatever its length; anything else is no JPEG for long.
                filled = _FILLING.fullmatch(data, place, match.start()) is not None
                if not filled and match.start() - place > _MAX_GAP:
                    return
                self.gaps = True
            self.ended = code == _END
            if code in {_START, _END} or length < 2:
                return
            place = match.end() + length
            self._note(code, match.start(), place)

    def _note(self, code: int, start: int, end: int) -> None:
        self._count += 1
        if self._count > _MAX_SEGMENTS:
            raise ImageError(f"the JPEG picture has more than {_MAX_SEGMENTS} segments")
        body = self._data[start + 4 : end]
        if code == _SCAN:
            self.first_scan = min(self.first_scan, start)
            self.scans += 1
            if self.scans > _MAX_SCANS:
                raise ImageError(f"the JPEG picture has more than {_MAX_SCANS} scans")
            self._note_scan(body)
        elif not self.scans:
            self.segments.append(self._data[start:end])
            if code in _FRAMES and len(body) > 5:
                self._missing = {body[place]: set(range(_COEFFICIENTS)) for place in range(6, len(body) - 2, 3)}

    def _note_scan(self, body: bytes) -> None:
        """Cross out the coefficients of which a scan brings the last bits."""
        if not body or len(body) < 2 * body[0] + 4:
            return
        first, last, bits = body[2 * body[0] + 1 : 2 * body[0] + 4]
        if bits & 15:
            return
        for place in range(1, 2 * body[0] + 1, 2):
            if body[place] in self._missing:
                self._missing[body[place]].difference_update(range(first, last + 1))

    def is_complete(self) -> bool:
        """Say whether the scans that began bring all bits of all coefficients."""
        return bool(self._missing) and not any(self._missing.values())
