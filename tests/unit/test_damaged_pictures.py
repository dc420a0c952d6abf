"""Files that are not quite as they should be: read where no pixel is missing, refused where one is."""

import struct
import time
import zlib

import numpy as np
import pytest

from app.domain.errors import ImageError
from app.domain.options import ImageLimits
from app.embedding.pictures.images import decode
from tests.memory import peak_kb
from tests.pictures import apart, encoded, exif, photo, png_chunk

LIMITS = ImageLimits()
PLAIN = photo()
GREY = PLAIN.convert("L")


@pytest.mark.parametrize("amount", [1, 2000, 16_000_000])
def test_filling_between_the_segments_of_a_jpeg_counts_for_nothing(amount: int) -> None:
    data = encoded(PLAIN, "JPEG", quality=95)
    tables = data.index(b"\xff\xdb")
    filled = data[:tables] + b"\xff" * amount + data[tables:]
    start = time.thread_time()
    assert decode(filled, LIMITS) == decode(data, LIMITS)
    assert time.thread_time() - start < 1


JPEGS: dict[str, dict[str, object]] = {
    "baseline": {},
    "grey": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 10},
    "one component a scan": {"keep_rgb": True},
}


def jpeg(kind: str) -> bytes:
    return encoded(GREY if kind == "grey" else PLAIN, "JPEG", quality=95, **JPEGS[kind])


@pytest.mark.parametrize("target", [None, 30])
@pytest.mark.parametrize("behind", [b"", b"\xff", b"\r\n", bytes(300)], ids=["none", "half", "line", "zeros"])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_without_its_end_has_all_its_pixels(kind: str, behind: bytes, target: int | None) -> None:
    data = jpeg(kind)
    assert data.endswith(b"\xff\xd9")
    assert decode(data[:-2] + behind, LIMITS, target=target) == decode(data, LIMITS, target=target)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_with_missing_pixels_is_refused(kind: str) -> None:
    data = jpeg(kind)
    scan = data.rindex(b"\xff\xda") + 20
    cuts = {*np.linspace(scan, len(data) - 12, 12).astype(int).tolist()}
    cuts |= {place for place in range(scan, len(data) - 12) if data[place] == 0xFF and 0xD0 <= data[place + 1] < 0xD8}
    for cut in sorted(cuts)[:: max(1, len(cuts) // 30)]:
        with pytest.raises(ImageError, match="not complete"):
            decode(data[:cut], LIMITS)


def test_a_progressive_jpeg_without_its_last_scan_is_refused() -> None:
    data = jpeg("progressive")
    with pytest.raises(ImageError, match="ends before its last scan"):
        decode(data[: data.rindex(b"\xff\xda")], LIMITS)


def with_chunk(kind: bytes, body: bytes, *, wrong: bool = True) -> bytes:
    """A PNG with a chunk before its pixels, its checksum wrong or right."""
    data, chunk = encoded(PLAIN), bytearray(png_chunk(kind, body))
    chunk[-1] ^= wrong
    return data[:33] + bytes(chunk) + data[33:]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"Comment\0hello"),
        (b"pHYs", struct.pack(">IIB", 3000, 3000, 1)),
        (b"eXIf", exif(6)[6:]),
        (b"tIME", bytes(7)),
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"tRNS", bytes(6)),
        (b"iCCP", b"x\0\0" + zlib.compress(b"no profile")),
        (b"acTL", struct.pack(">II", 3, 0)),
        (b"zzZz", b"of somebody's own"),
    ],
    ids=lambda value: value.decode() if value.isalpha() else "",
)
def test_a_png_is_read_whatever_the_checksums_of_chunks_without_pixels(kind: bytes, body: bytes) -> None:
    assert apart(decode(with_chunk(kind, body), LIMITS), PLAIN) == 0


def test_chunks_of_a_png_that_are_no_metadata_may_hold_anything() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)
    for kind, body in (
        (b"zTXt", bomb),
        (b"iTXt", b""),
        (b"pHYs", b""),
        (b"sRGB", b""),
        (b"cHRM", b"1"),
        (b"bKGD", b""),
    ):
        before = peak_kb(forget=True)
        assert apart(decode(with_chunk(kind, body, wrong=False), LIMITS), PLAIN) == 0
        assert peak_kb() - before < 60_000


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"])
def test_a_png_with_a_wrong_checksum_of_its_pixels_is_refused(kind: bytes) -> None:
    data = bytearray(encoded(PLAIN.quantize(16)))
    place = data.index(kind)
    data[place + 4 + int.from_bytes(data[place - 4 : place])] ^= 1
    with pytest.raises(ImageError, match=f"checksum of a chunk {kind.decode()} is wrong"):
        decode(bytes(data), LIMITS)


def test_a_png_without_its_last_chunk_has_all_its_pixels() -> None:
    assert apart(decode(encoded(PLAIN)[:-12], LIMITS), PLAIN) == 0
    with pytest.raises(ImageError, match="not complete"):
        decode(encoded(PLAIN)[:-40], LIMITS)
