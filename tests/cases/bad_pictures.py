"""Bytes that are no picture, or one that must not be decoded, and what is said of them."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.pictures import encoded, photo, png, png_bomb, png_chunk, tiff, tiff_in_order, tiff_of


@dataclass(frozen=True)
class Unreadable:
    """`message` is a regular expression for what the caller is told."""

    id: str
    data: Callable[[], bytes]
    message: str


def _jpeg_of_many_scans() -> bytes:
    data = encoded(photo(size=(64, 64)), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 200 + data[-2:]


def _large_bmp() -> bytes:
    return b"BM" + struct.pack("<IIIIiiHH", 99, 0, 54, 40, 60000, 60000, 1, 24) + bytes(24)


def _large_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 65535, 65535) + encoded(photo(), "GIF")[10:]


def _large_tiff() -> bytes:
    return tiff({256: 60000, 257: 60000, 258: 8, 259: 1, 262: 1, 273: 0, 278: 9, 279: 9})


def _large_tiles() -> bytes:
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 322: 32768, 323: 32768, 324: 0, 325: 99}
    return tiff(tags, zlib.compress(bytes(99)))


def _large_webp() -> bytes:
    canvas = bytes(4) + b"\xfe\x3f\0" * 2
    return b"RIFF" + struct.pack("<I", 52) + b"WEBPVP8X" + struct.pack("<I", 10) + canvas + bytes(30)


def _large_heif(kind: str, side: int) -> bytes:
    data = encoded(photo(), kind)
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", side, side) + data[place + 8 :]


def _large_page() -> bytes:
    small, large = np.zeros((8, 8, 1), np.uint8), {254: [0], 256: [60000], 257: [60000]}
    return tiff_in_order(tiff_of(small, 1, tags={254: [1]}), tiff_of(small, 1, tags=large))


def _large_planes() -> bytes:
    return tiff_of(np.zeros((8, 8, 3), np.uint16), 2, planar=2, tags={256: [60000], 257: [60000]})


def _many_chunks() -> bytes:
    return png(8, 8, b"", before=png_chunk(b"zzZz", b"") * 10**6)


def _pages_in_circles() -> bytes:
    return tiff({254: 1, 256: 8, 257: 8, 262: 32803})[:-4] + struct.pack("<I", 8)


def _wrong_checksum() -> bytes:
    data = encoded(photo())
    return data[:45] + bytes(4) + data[49:]


def _half(kind: str) -> Callable[[], bytes]:
    return lambda: (data := encoded(photo(), kind))[: len(data) // 2]


NO_PICTURE = "not a picture in one of the formats"
BROKEN = f"damaged|{NO_PICTURE}"  # where the header itself is hit, nothing tells a damaged picture from none

UNREADABLE = (
    Unreadable("empty", lambda: b"", "the picture is empty"),
    Unreadable("one byte", lambda: b"\xff", NO_PICTURE),
    Unreadable("text", lambda: b"this is not a picture" * 10, NO_PICTURE),
    Unreadable("html", lambda: b"<!doctype html><html></html>", f"a page of HTML; it is {NO_PICTURE}"),
    Unreadable(
        "svg",
        lambda: b'<?xml version="1.0"?>\n<svg/>',
        f"an SVG drawing; it is {NO_PICTURE}",
    ),
    Unreadable(
        "heic without a picture",
        lambda: struct.pack(">I", 24) + b"ftypheic" + bytes(2000),
        "the HEIC picture is damaged",
    ),
    Unreadable("pdf", lambda: b"%PDF-1.7\n" + bytes(100), f"this is a PDF document; it is {NO_PICTURE}"),
    Unreadable("eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_PICTURE),
    Unreadable("ico", lambda: encoded(photo(size=(32, 32)), "ICO"), f"an icon; it is {NO_PICTURE}"),
    Unreadable("jpeg 2000", lambda: encoded(photo(), "JPEG2000"), f"a JPEG 2000 picture; it is {NO_PICTURE}"),
    Unreadable("half a jpeg", _half("JPEG"), "damaged or not complete"),
    Unreadable("half a png", _half("PNG"), "damaged or not complete"),
    Unreadable("half a webp", _half("WEBP"), BROKEN),
    Unreadable("half a tiff", _half("TIFF"), BROKEN),
    Unreadable("half a gif", _half("GIF"), "damaged or not complete"),
    Unreadable("half an avif", _half("AVIF"), BROKEN),
    Unreadable("half a heic", _half("HEIF"), BROKEN),
    Unreadable("half a bmp", _half("BMP"), "damaged or not complete"),
    Unreadable("png with a wrong checksum", _wrong_checksum, BROKEN),
    Unreadable("png without pixels", lambda: png(0, 5, b""), f"no pixels|{BROKEN}"),
    Unreadable("png bomb", png_bomb, "too many pixels"),
    Unreadable("bmp of 3,600 million pixels", _large_bmp, "too many pixels"),
    Unreadable("gif of 4,300 million pixels", _large_gif, "too many pixels"),
    Unreadable("tiff of 3,600 million pixels", _large_tiff, "too many pixels"),
    Unreadable("tiff of huge tiles", _large_tiles, "tiles of more than"),
    Unreadable("webp of 268 million pixels", _large_webp, f"too many pixels|{BROKEN}"),
    Unreadable("avif of 3,600 million pixels", lambda: _large_heif("AVIF", 60000), f"too many pixels|{BROKEN}"),
    Unreadable("avif of 256 million pixels", lambda: _large_heif("AVIF", 16000), f"too many pixels|{BROKEN}"),
    Unreadable("heic of 3,600 million pixels", lambda: _large_heif("HEIF", 60000), f"too many pixels|{BROKEN}"),
    Unreadable("heic of 256 million pixels", lambda: _large_heif("HEIF", 16000), f"too many pixels|{BROKEN}"),
    Unreadable("tiff whose full page is huge", _large_page, "too many pixels|are allowed in all"),
    Unreadable("tiff of huge planes", _large_planes, "are allowed in all"),
    Unreadable("tiff whose pages go in circles", _pages_in_circles, "photometric interpretation 32803"),
    Unreadable("png of a million chunks", _many_chunks, "more than 100000 chunks"),
    Unreadable("jpeg of many scans", _jpeg_of_many_scans, "more than 100 scans"),
)
