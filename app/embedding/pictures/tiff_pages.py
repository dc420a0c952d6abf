"""The pages of a TIFF file and what their tags say, without a pixel being decoded."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.errors import ImageError

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
FILL_ORDER, STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 266, 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SUB_PAGES, EXTRA, FORMAT = 322, 323, 324, 325, 330, 338, 339

_MAX_PAGES = 100  # looked at for the one in full size
_MAX_TAGS = 1000
_REDUCED, _MASK = 1, 4  # bits of SUBFILE
_CAMERA = frozenset({32803, 34892})  # values of a camera's sensor: another page holds the picture
_NUMBERS = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # types of tags that are numbers or offsets


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `tags` gives the type, count and bytes of each tag's values."""

    data: bytes
    order: str
    big: bool
    place: int
    tags: Mapping[int, tuple[int, int, bytes]]
    next: int

    def numbers(self, tag: int) -> list[int]:
        """Return the whole numbers of a tag; none where it is absent, of another type or reaches out of the file."""
        kind, count, field = self.tags.get(tag, (0, 0, b""))
        if kind not in _NUMBERS:
            return []
        number = np.dtype(self.order + _NUMBERS[kind])
        if count * number.itemsize > len(field):
            place = int.from_bytes(field, "little" if self.order == "<" else "big")
            field = self.data[place : place + count * number.itemsize]
            if len(field) < count * number.itemsize:
                return []
        return [int(value) for value in np.frombuffer(field, number, count)]

    def number(self, tag: int, default: int) -> int:
        """Return the first number of a tag."""
        return next(iter(self.numbers(tag)), default)

    def raw(self, tag: int) -> bytes | None:
        """Return the bytes of a tag of bytes that lie outside the page; None where there are none."""
        kind, count, field = self.tags.get(tag, (0, 0, b""))
        if kind not in {1, 7} or count <= len(field):
            return None
        place = int.from_bytes(field, "little" if self.order == "<" else "big")
        return self.data[place : place + count]

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.number(WIDTH, 0) * self.number(HEIGHT, 0)

    @property
    def is_whole(self) -> bool:
        """True if it is a picture in full size: no reduced version of another page, no mask."""
        return not self.number(SUBFILE, 0) & (_REDUCED | _MASK) and self.number(OLD_SUBFILE, 1) != 2

    def as_file(self) -> bytes:
        """Return the file with this page as its first, as Pillow knows it.

        Pillow knows offsets of 64 bits in one byte order only, and stumbles over a plane for each of one channel.
        """
        alone = self.number(SAMPLES, 1) == 1 and self.number(PLANAR, 1) == 2
        if self.big or alone:
            kept = set(self.tags) - ({PLANAR} if alone else set())
            return self.rewritten({tag: numbers for tag in kept if (numbers := self.numbers(tag))})
        return b"".join([self._start(self.place), memoryview(self.data)[8:]])

    def rewritten(self, tags: Mapping[int, Sequence[int]]) -> bytes:
        """Return the file with one page, of these tags, and offsets of 32 bits."""
        place = len(self.data) + len(self.data) % 2
        rest = place + 2 + 12 * len(tags) + 4
        entries, behind = b"", b""
        for tag, values in sorted(tags.items()):
            field = struct.pack(f"{self.order}{len(values)}I", *values)
            if len(values) > 1:
                field, behind = struct.pack(self.order + "I", rest + len(behind)), behind + field
            entries += struct.pack(self.order + "HHI", tag, 4, len(values)) + field
        page = struct.pack(self.order + "H", len(tags)) + entries + bytes(4) + behind
        return b"".join([self._start(place), memoryview(self.data)[8:], bytes(place - len(self.data)), page])

    def _start(self, place: int) -> bytes:
        return (b"II" if self.order == "<" else b"MM") + struct.pack(self.order + "HI", 42, place)


def shown_page(data: bytes) -> Page:
    """Return the page that is the picture: the first, unless it says that it is a smaller version or a mask of another.

    Then it is the first page in full size, or the largest where all are reduced; the pages that lie beneath pages
    (SubIFDs) count as well.

    Raises:
        ImageError: the file is damaged.

    """
    pages = _pages(data)
    first = next(pages, None)
    if first is None:
        raise ImageError("the TIFF picture is damaged or not complete, and cannot be decoded")
    if first.is_whole and first.number(PHOTOMETRIC, 0) not in _CAMERA:
        return first
    shown = [page for page in (first, *pages) if page.number(PHOTOMETRIC, 0) not in _CAMERA and page.pixels]
    whole = [page for page in shown if page.is_whole]
    pictures = [page for page in shown if not page.number(SUBFILE, 0) & _MASK]
    return (whole or [max(pictures, key=lambda page: page.pixels, default=first)])[0]


def _pages(data: bytes) -> Iterator[Page]:
    order = "<" if data[:2] == b"II" else ">"
    big = data[:4] in STARTS[2:]
    places = [int.from_bytes(data[8:16] if big else data[4:8], "little" if order == "<" else "big")]
    seen: set[int] = set()
    while places and len(seen) < _MAX_PAGES:
        place = places.pop(0)
        if place in seen or not place:
            continue
        seen.add(place)
        page = _page(data, order, place, big=big)
        if page is None:
            continue
        yield page
        places += [page.next, *page.numbers(SUB_PAGES)[:_MAX_PAGES]]


def _page(data: bytes, order: str, place: int, *, big: bool) -> Page | None:
    head, entry, word = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    try:
        (count,) = struct.unpack_from(order + head, data, place)
        if count > _MAX_TAGS:
            return None
        place_of_tags, size = place + struct.calcsize(order + head), struct.calcsize(order + entry)
        tags = {}
        for number in range(count):
            tag, kind, amount, field = struct.unpack_from(order + entry, data, place_of_tags + number * size)
            tags[tag] = (kind, amount, field)
    except struct.error:
        return None
    end = place_of_tags + count * size
    following = data[end : end + struct.calcsize(word)]
    return Page(data, order, big, place, tags, int.from_bytes(following, "little" if order == "<" else "big"))
