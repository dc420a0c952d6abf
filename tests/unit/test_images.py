import contextlib
import io
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ImageError
from app.domain.options import ImageLimits
from app.embedding.pictures.images import decode, thumbnail
from tests.cases.bad_pictures import UNREADABLE, Unreadable
from tests.memory import peak_kb
from tests.pictures import apart, encoded, exif, photo, png, png_bomb, png_chunk

LIMITS = ImageLimits()
PLAIN = photo()
GREY = PLAIN.convert("L")


def on_transparent(mode: str) -> Image.Image:
    """The picture on a transparent ground of strong colours, which must not be seen."""
    ground = Image.new("RGBA", (320, 240), (255, 0, 255, 0))
    ground.paste(PLAIN, (80, 60))
    return ground.convert(mode) if mode != "P" else ground.quantize(256)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "P"), ("WEBP", "RGBA"), ("GIF", "RGBA"), ("TIFF", "RGBA"), ("TIFF", "LA")],
)
def test_what_is_transparent_is_white(kind: str, mode: str) -> None:
    data = encoded(on_transparent(mode), kind, **({"lossless": True} if kind == "WEBP" else {}))
    expected = Image.new("RGB", (320, 240), "white")
    expected.paste(GREY if mode == "LA" else PLAIN, (80, 60))
    assert apart(decode(data, LIMITS), expected) < 8
    assert apart(decode(data, LIMITS, target=60), expected.reduce(4)) < 8


def test_half_transparent_is_mixed_with_white() -> None:
    data = encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128)))
    assert decode(data, LIMITS).getpixel((0, 0)) == (255, 127, 127)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_turned_as_exif_says(kind: str, orientation: int) -> None:
    # What a camera held so would have stored: the inverse of what is done to show it.
    turns = [None, 0, 3, 1, 5, 2, 6, 4]
    turn = turns[orientation - 1]
    stored = PLAIN if turn is None else PLAIN.transpose(Image.Transpose(turn))
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    if kind == "TIFF":
        options["tiffinfo"] = {0x0112: orientation}
        options["compression"] = "tiff_deflate"
    else:
        options["exif"] = exif(orientation)
    data = encoded(stored, kind, **options)
    assert apart(decode(data, LIMITS), PLAIN) < 5
    assert decode(data, LIMITS, target=30).width > decode(data, LIMITS, target=30).height


@pytest.mark.parametrize("damage", [b"MM\0*\xff\xff\xff\xff", b"II*\0", bytes(40), b"\xff" * 300], ids=repr)
def test_damaged_exif_spoils_no_picture(damage: bytes) -> None:
    assert apart(decode(encoded(PLAIN, "JPEG", quality=95, exif=b"Exif\0\0" + damage), LIMITS), PLAIN) < 3
    text = png_chunk(b"eXIf", damage)
    assert decode(png(8, 8, bytes(9 * 8), before=text), LIMITS).size == (8, 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(1600, 1200), (1201, 1607), (900, 3000), (450, 449), (100, 80)])
def test_target_scales_down_early_and_never_below(kind: str, size: tuple[int, int]) -> None:
    picture = photo(3, size)
    small = decode(encoded(picture, kind), LIMITS, target=448)
    assert min(small.size) >= min(448, *size)
    assert min(small.size) < 2 * 448
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.01)
    assert apart(small, picture.resize(small.size, Image.Resampling.BOX)) < 6


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_tiny_and_thin_pictures(size: tuple[int, int]) -> None:
    assert decode(encoded(Image.new("RGB", size, "teal")), LIMITS, target=448).size == size


def test_only_the_first_of_a_thousand_frames_is_read() -> None:
    more = [Image.new("RGB", PLAIN.size, (0, 0, number % 256)) for number in range(999)]
    data = encoded(PLAIN, "TIFF", save_all=True, append_images=more, compression="tiff_deflate")
    start = time.thread_time()
    assert apart(decode(data, LIMITS), PLAIN) == 0
    assert time.thread_time() - start < 1


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.id)
def test_what_cannot_be_read_is_said_quickly_and_in_little_memory(case: Unreadable) -> None:
    data = case.data()
    before = peak_kb(forget=True)
    start = time.thread_time()
    with pytest.raises(ImageError, match=case.message):
        decode(data, LIMITS)
    assert time.thread_time() - start < 1
    assert peak_kb() - before < 60_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say how much memory was used")
def test_the_memory_of_a_large_picture_would_be_noticed() -> None:
    data = encoded(Image.new("RGB", (6000, 5000)), compress_level=1)
    before = peak_kb(forget=True)
    decode(data, LIMITS)
    assert peak_kb() - before > 60_000


@pytest.mark.parametrize(
    ("filling", "message"),
    [
        (b"\xff\xfe\0\2", "more than 5000 segments"),
        (b"\xff\xe1\0\2", "more than 5000 segments"),
        (b"\xff\xd0", "damaged or not complete"),
        (b"\0", "not a picture"),
    ],
    ids=["comments", "metadata", "restarts", "zeros"],
)
def test_a_jpeg_padded_with_nothing_is_refused_before_it_is_read_step_by_step(filling: bytes, message: str) -> None:
    data = encoded(PLAIN, "JPEG")
    padded = data[:2] + filling * (16_000_000 // len(filling)) + data[2:]
    start = time.thread_time()
    with pytest.raises(ImageError, match=message):
        decode(padded, LIMITS)
    assert time.thread_time() - start < 1


@pytest.mark.parametrize("progressive", [False, True])
def test_a_film_behind_a_photo_and_metadata_before_it_are_not_taken_for_scans(progressive: bool) -> None:
    film = np.random.default_rng(1).bytes(12_000_000)
    assert film.count(b"\xff\xda") > 100
    metadata = b"".join(b"\xff\xed\xfd\xea" + b"\xff\xda" * 32500 for _ in range(20))
    data = encoded(PLAIN, "JPEG", quality=95, progressive=progressive)
    assert apart(decode(data[:2] + metadata + data[2:] + film, LIMITS), PLAIN) < 3


@pytest.mark.parametrize("between", [b"", b"\0\0", b"\xff\xff", b"\xff\xd3", b"\xff\0"], ids=repr)
def test_scans_are_counted_whatever_stands_between_them(between: bytes) -> None:
    data = encoded(photo(size=(64, 64)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(data[:-2] + (between + scan) * 200 + data[-2:], LIMITS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-3e38, 0.0, 3e38], [0, 127, 255]),
        ([np.nan, np.inf, 1.0], [0, 0, 255]),
        ([1e-40, 2e-40, 3e-40], [0, 0, 0]),
        ([1e6, 1e6 + 1, 1e6 + 2], [0, 127, 255]),
    ],
)
def test_floating_point_of_any_size_is_stretched(values: list[float], expected: list[int]) -> None:
    picture = decode(encoded(Image.fromarray(np.array([values], np.float32)), "TIFF"), LIMITS)
    assert list(picture.getchannel("R").tobytes()) == expected


def test_png_bomb_is_small() -> None:
    assert len(png_bomb()) < 2500


def test_bytes_and_pixels_are_limited_inclusively() -> None:
    data = encoded(PLAIN)
    assert decode(data, ImageLimits(max_bytes=len(data), max_pixels=160 * 120)).size == (160, 120)
    with pytest.raises(ImageError, match="bytes"):
        decode(data, ImageLimits(max_bytes=len(data) - 1))
    with pytest.raises(ImageError, match="160 x 120 pixels; 19199 are allowed"):
        decode(data, ImageLimits(max_pixels=160 * 120 - 1))


def test_a_picture_above_pillows_own_warning_is_read_where_it_is_allowed() -> None:
    data = encoded(Image.new("1", (10_000, 9_000)))
    assert min(decode(data, ImageLimits(max_pixels=10**8), target=448).size) >= 448


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "HEIF"])
def test_damaged_at_random_is_either_read_or_an_image_error(kind: str) -> None:
    whole = encoded(photo(size=(40, 30)), kind, **({"exif": exif(6)} if kind in {"JPEG", "PNG", "WEBP"} else {}))
    chance = np.random.default_rng(7)
    for _ in range(150):
        data = bytearray(whole)
        for place in chance.integers(0, len(data), chance.integers(1, 6)):
            data[place] = chance.integers(0, 256)
        cut = bytes(data[: chance.integers(1, len(data) + 1)]) if chance.random() < 0.3 else bytes(data)
        with contextlib.suppress(ImageError):
            assert decode(cut, LIMITS, target=20).mode == "RGB"


def test_decoding_in_threads_leaks_no_warning_and_leaves_the_filters_as_they_are() -> None:
    odd = encoded(
        PLAIN, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\xff\xff\0\0\0\0"
    )  # Pillow warns
    decode(odd, LIMITS)
    before = len(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda _: decode(odd, LIMITS), range(200)))
    assert {picture.tobytes() for picture in pictures} == {pictures[0].tobytes()}
    assert len(warnings.filters) == before


def test_thumbnail_is_a_small_webp_and_leaves_the_picture_alone() -> None:
    picture = photo(size=(800, 600))
    small = Image.open(io.BytesIO(thumbnail(picture)))
    assert (small.format, small.size, picture.size) == ("WEBP", (192, 144), (800, 600))
    assert apart(small.convert("RGB"), picture.resize((192, 144), Image.Resampling.BOX)) < 8


@pytest.mark.parametrize(("size", "expected"), [((50, 40), (50, 40)), ((1, 5000), (1, 192)), ((1, 1), (1, 1))])
def test_thumbnail_of_small_and_thin_pictures(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Image.open(io.BytesIO(thumbnail(Image.new("RGB", size)))).size == expected


_STARVED = """
import io, resource, sys
import psutil
from PIL import Image
from app.domain.errors import ImageError, Unavailable
from app.domain.options import ImageLimits
from app.embedding.pictures.images import decode
buffer = io.BytesIO()
Image.linear_gradient("L").resize((8000, 6000)).convert("RGB").save(buffer, "PNG", compress_level=1)
decode(sys.stdin.buffer.read(), ImageLimits())  # what is loaded at the first picture is there
vms = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (vms + 2**25, resource.RLIM_INFINITY))
try:
    decode(buffer.getvalue(), ImageLimits())
except (ImageError, Unavailable) as error:
    print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(decode(buffer.getvalue(), ImageLimits()).size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to its address space")
def test_a_good_picture_for_which_there_is_no_memory_is_no_bad_one() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _STARVED], input=encoded(PLAIN), capture_output=True, check=True, timeout=120
    ).stdout.decode()
    assert told.split("\n")[:2] == ["Unavailable", "(8000, 6000)"]
