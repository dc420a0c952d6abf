"""The coded pixels of an AVIF file say their size, which need not be the one that the file states."""

import struct
from collections.abc import Iterator

_INSIDE = {
    b"meta": 4,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
}  # bytes before boxes
_DELIMITER, _SEQUENCE = 2, 1  # kinds of AV1's units
_MAX_PLACES = 1000


def coded_pixels(data: bytes) -> int:
    """Return width x height of the largest coded picture of an AVIF file; 0 where none can be found.

    Decoders make room for what the coded pixels say (the AV1 sequence header), and scale it to what the file says.
    """
    boxes = dict(_boxes(data, 0, len(data)))
    return max((_pixels(data[place : place + 200]) for place in _places(data, boxes)), default=0)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Give the kind of each box, and where its body begins and ends, those in boxes included."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = min(end, start + size) if size else end
        if stop <= start or stop < body:
            return
        if kind in _INSIDE:
            yield from _boxes(data, body + _INSIDE[kind], stop)
        yield kind, (body, stop)
        start = stop


def _places(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> Iterator[int]:
    """Give where the data of pictures and of a film begin."""
    for kind, number in ((b"stco", ">I"), (b"co64", ">Q")):
        if kind in boxes and boxes[kind][0] + 8 + struct.calcsize(number) <= len(data):
            yield struct.unpack_from(number, data, boxes[kind][0] + 8)[0]
    if b"iloc" in boxes:
        yield from _item_places(data[slice(*boxes[b"iloc"])], boxes.get(b"idat", (0, 0))[0])


def _item_places(table: bytes, idat: int) -> Iterator[int]:
    bits = _Bits(table)
    version = bits.take(8)
    bits.take(24)
    offset_size, length_size, base_size, index_size = (8 * bits.take(4) for _ in range(4))
    for _ in range(min(bits.take(16 if version < 2 else 32), _MAX_PLACES)):
        bits.take(16 if version < 2 else 32)
        method = bits.take(16) & 15 if version else 0
        bits.take(16)
        base = bits.take(base_size)
        for _ in range(min(bits.take(16), _MAX_PLACES)):
            bits.take(index_size if version else 0)
            yield base + bits.take(offset_size) + (idat if method == 1 else 0)
            bits.take(length_size)


class _Bits:
    """Bits of bytes from the highest on; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, count: int) -> int:
        first, last = self._place // 8, (self._place + count + 7) // 8
        self._place += count
        whole = int.from_bytes(self._data[first:last].ljust(last - first, b"\0"))
        return whole >> (8 * last - self._place) & ((1 << count) - 1)


def _pixels(units: bytes) -> int:
    """Return the pixels of the sequence header that units of AV1 begin with, 0 where there is none."""
    place = 0
    while place + 2 < len(units):
        head = units[place]
        place += 2 if head & 4 else 1
        size = shift = 0
        while head & 2 and place < len(units) and shift < 56:
            size |= (units[place] & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if not units[place - 1] & 0x80:
                break
        if head >> 3 & 15 == _SEQUENCE:
            return _sequence_pixels(_Bits(units[place:]))
        if head >> 3 & 15 != _DELIMITER:
            return 0
        place += size
    return 0


def _sequence_pixels(bits: _Bits) -> int:
    """Return the pixels of a sequence header (AV1 specification, 5.5.1)."""
    bits.take(4)
    if bits.take(1):
        bits.take(5)
    else:
        _skip_operating_points(bits)
    widths, heights = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(widths) + 1) * (bits.take(heights) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            zeros = 0
            while zeros < 32 and not bits.take(1):
                zeros += 1
            bits.take(zeros)
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.take(42)
    shown_late = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if shown_late and bits.take(1):
            bits.take(4)
