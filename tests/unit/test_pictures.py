"""Kinds of pictures, as the table of `docs/pictures.md` has them, and the colours that they mean."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.domain.errors import ImageError
from app.domain.options import ImageLimits
from app.embedding.pictures import colour_profiles
from app.embedding.pictures.avif import coded_pixels
from app.embedding.pictures.colour_profiles import D65, MAX_PROFILE_BYTES, matrix_profile
from app.embedding.pictures.formats import FORMATS, MEDIA_TYPES
from app.embedding.pictures.images import decode
from tests.cases.pictures import GREY, INKS, KINDS, PLAIN, Kind, on_clear, on_white, white_ring
from tests.pictures import apart, encoded, photo, png_chunk, tiff_in_order, tiff_of

LIMITS = ImageLimits()
DOCS = (Path(__file__).parents[2] / "docs/pictures.md").read_text()
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PRO_PHOTO = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
SAVED: dict[str, dict[str, object]] = {
    "PNG": {},
    "JPEG": {"quality": 95},
    "MPO": {"quality": 95},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
    "HEIF": {"quality": 95},
}


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.id)
def test_a_kind_is_read_or_refused_as_the_table_says(case: Kind) -> None:
    if case.like is None:
        with pytest.raises(ImageError, match=case.said):
            decode(case.data(), LIMITS)
        return
    expected = case.like().convert("RGB")
    picture = decode(case.data(), LIMITS)
    assert (picture.mode, picture.size) == ("RGB", expected.size)
    assert apart(picture, expected) <= case.within
    small = decode(case.data(), LIMITS, target=60)
    assert apart(small, expected.reduce(expected.height // 60)) <= case.within + 4


def test_the_docs_show_every_kind() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.splitlines() if line[:1] == "|"]
    shown = [tuple(row) for row in rows if row[0] in {one.name for one in FORMATS} | {"any"} and len(row) == 4]
    assert shown == [(one.format, one.kind, "read" if one.like else "refused", one.done) for one in KINDS]


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_the_docs_name_every_format_with_its_suffixes(one: object) -> None:
    for suffix in one.suffixes:  # type: ignore[attr-defined]
        assert f"`{suffix}`" in DOCS
        assert MEDIA_TYPES[suffix] == one.media_type  # type: ignore[attr-defined]


def icc(primaries: tuple[float, ...] = PRO_PHOTO, exponent: float | None = 1.8) -> bytes:
    profile = matrix_profile(primaries, D65, exponent)
    assert profile is not None
    return profile


def seen_through(picture: Image.Image, profile: bytes, mode: str = "RGB") -> Image.Image:
    """A picture of sRGB in the colours of a profile."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    other = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(picture, srgb, other, outputMode=mode)
    assert shown is not None
    shown.info.clear()
    return shown


@pytest.mark.parametrize("kind", SAVED)
def test_colours_are_those_of_the_profile(kind: str) -> None:
    wide = seen_through(PLAIN, icc())
    data = encoded(wide, kind, icc_profile=icc(), **SAVED[kind])
    assert apart(wide, PLAIN) > 15
    assert apart(decode(data, LIMITS), PLAIN) < 4
    assert apart(decode(data, LIMITS, target=60), PLAIN.reduce(2)) < 5
    assert apart(decode(encoded(wide, kind, **SAVED[kind]), LIMITS), wide) < 4


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_profiles_hold_for_palettes_and_beside_alpha(mode: str) -> None:
    wide = seen_through(on_clear("RGBA").convert("RGB"), icc())
    layer = wide.convert("RGBA")
    layer.putalpha(on_clear("RGBA").getchannel("A"))
    data = encoded(layer if mode == "RGBA" else layer.quantize(256), icc_profile=icc())
    assert apart(decode(data, LIMITS), on_white()) < (1 if mode == "RGBA" else 4)


def grey_profile(exponent: float) -> bytes:
    """A profile of grey values alone, made of an RGB one: its curve under another name."""
    whole = icc(ADOBE, exponent)
    body = whole[-len(b"para") - 12 :]
    tags = struct.pack(">I4sII4sII", 2, b"kTRC", 156, 16, b"wtpt", 172, 20)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return struct.pack(">I", 192) + whole[4:16] + b"GRAY" + whole[20:128] + tags + body[:16] + white


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_values_are_those_of_the_profile(kind: str) -> None:
    values = np.arange(256, dtype=np.uint8)
    linear = np.tile(np.repeat(values, 2), (64, 1))
    shown = np.asarray(decode(encoded(Image.fromarray(linear), kind, icc_profile=grey_profile(1.0)), LIMITS))
    light = linear / 255
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(shown[..., 1] - expected)[:, 64:].max() < 5
    assert (shown[..., 0] == shown[..., 2]).all()


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_picture_keeps_the_profile_that_it_had_in_colour(mode: str) -> None:
    data = encoded(seen_through(PLAIN, icc()).convert(mode), icc_profile=icc())
    expected = Image.composite(GREY, GREY, GREY).convert("RGB")
    assert apart(decode(data, LIMITS), expected) < 25  # a mean of other primaries than sRGB's
    steps = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (8, 1)))
    assert (
        apart(
            decode(encoded(seen_through(steps.convert("RGB"), icc()).convert(mode), icc_profile=icc()), LIMITS),
            steps.convert("RGB"),
        )
        < 1
    )


def press_profile() -> bytes:
    """A printing press by its four inks: CIELAB of paper and of the ways to print all, some or none of them."""
    corners = [
        (95, 0, -2),
        (89, -5, 93),
        (48, 74, -3),
        (47, 68, 48),
        (55, -37, -50),
        (50, -68, 27),
        (24, 20, -46),
        (23, 0, 0),
    ]
    table = b""
    for lightness, a, b in corners:
        for values in ((lightness, a, b), (lightness / 6, a / 8, b / 8)):
            table += bytes((round(values[0] * 2.55), round(values[1] + 128), round(values[2] + 128)))
    ramp = bytes(range(256))
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    body = b"mft1\0\0\0\0\x04\x03\x02\0" + unit + ramp * 4 + table + ramp * 3
    head = b"\x02\x40\0\0prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(body))
    return struct.pack(">I", 144 + len(body)) + bytes(4) + head + bytes(48) + tags + body


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_those_of_the_press(kind: str) -> None:
    inks = Image.frombytes("CMYK", PLAIN.size, INKS.tobytes())
    press = ImageCms.ImageCmsProfile(io.BytesIO(press_profile()))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    shown = ImageCms.profileToProfile(inks, press, srgb, outputMode="RGB")
    assert shown is not None
    assert apart(shown, PLAIN) > 10
    options: dict[str, object] = {"quality": 95} if kind == "JPEG" else {}
    assert apart(decode(encoded(inks, kind, icc_profile=press_profile(), **options), LIMITS), shown) < 4


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        bytes(128),
        icc()[:200],
        icc()[:128] + b"\xff" * 400,
        icc() + bytes(MAX_PROFILE_BYTES),
        icc().replace(b"mntr", b"link"),
        icc().replace(b"RGB ", b"CMYK"),
        grey_profile(1.0),
        press_profile(),
        bytes(np.random.default_rng(2).permutation(np.frombuffer(icc(), np.uint8))),
    ],
    ids=["letter", "zeros", "cut", "no tags", "large", "link", "other space", "grey", "inks", "shuffled"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_profile_that_is_broken_or_for_others_spoils_no_picture(kind: str, profile: bytes) -> None:
    if kind == "JPEG" and len(profile) > MAX_PROFILE_BYTES:
        profile = profile[: MAX_PROFILE_BYTES + 1]
    data = encoded(PLAIN, kind, icc_profile=profile, **SAVED[kind])
    assert apart(decode(data, LIMITS), decode(encoded(PLAIN, kind, **SAVED[kind]), LIMITS)) == 0


def test_profiles_damaged_at_random_spoil_no_picture() -> None:
    chance = np.random.default_rng(3)
    for whole, mode in ((icc(), "RGB"), (press_profile(), "CMYK"), (grey_profile(1.8), "L")):
        picture = PLAIN.resize((16, 12)).convert(mode)
        for _ in range(15):
            profile = bytearray(whole)
            for place in chance.integers(0, len(profile), chance.integers(1, 8)):
                profile[place] = chance.integers(0, 256)
            assert colour_profiles.to_srgb(picture, bytes(profile)).size == picture.size


def test_srgb_by_its_own_profile_stays_as_it_is() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert apart(decode(encoded(PLAIN, icc_profile=own), LIMITS), PLAIN) == 0
    assert colour_profiles.to_srgb(PLAIN, own) is PLAIN


def test_profiles_are_applied_alike_in_threads() -> None:
    wide = seen_through(PLAIN, icc())
    files = [encoded(wide, icc_profile=icc(exponent=1.8 + number / 50)) for number in range(4)] * 10
    with ThreadPoolExecutor(8) as pool:
        several = list(pool.map(lambda data: decode(data, LIMITS).tobytes(), files))
    assert several == [decode(data, LIMITS).tobytes() for data in files]
    assert len(set(several)) == 4


def chunked(*chunks: bytes, picture: Image.Image = PLAIN) -> bytes:
    """A PNG with chunks before its pixels."""
    data = encoded(picture)
    return data[:33] + b"".join(chunks) + data[33:]


def measured(primaries: tuple[float, ...]) -> bytes:
    return png_chunk(b"cHRM", struct.pack(">8I", *(round(value * 1e5) for value in (*D65, *primaries))))


def gamma(value: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(value * 1e5)))


def test_chunks_of_a_png_name_a_space_in_their_order() -> None:
    wide = seen_through(PLAIN, icc(ADOBE, 2.2))
    packed = png_chunk(b"iCCP", b"wide\0\0" + zlib.compress(icc(ADOBE, 2.2)))
    srgb, exponent, places = png_chunk(b"sRGB", b"\0"), gamma(1 / 2.2), measured(ADOBE)
    code = png_chunk(b"cICP", bytes((1, 13, 0, 1)))
    for chunks in ((packed,), (packed, exponent, measured(PRO_PHOTO)), (places, exponent), (packed, srgb)):
        assert apart(decode(chunked(*chunks, picture=wide), LIMITS), PLAIN) < 1.5, chunks
    for chunks in ((srgb, exponent, places), (code, packed), (places,)):
        assert apart(decode(chunked(*chunks, picture=wide), LIMITS), wide) == 0, chunks
    assert apart(decode(chunked(gamma(0.45455), measured((0.64, 0.33, 0.3, 0.6, 0.15, 0.06))), LIMITS), PLAIN) == 0
    linear = seen_through(PLAIN, icc((0.64, 0.33, 0.3, 0.6, 0.15, 0.06), 1.0))
    assert apart(decode(chunked(gamma(1.0), picture=linear), LIMITS), PLAIN) < 2
    for nonsense in (
        gamma(0),
        gamma(9e3),
        png_chunk(b"gAMA", b"\0"),
        png_chunk(b"iCCP", b"x\0\0no"),
        png_chunk(b"cICP", b""),
    ):
        assert apart(decode(chunked(nonsense, measured((0, 0, 0, 0, 0, 0))), LIMITS), PLAIN) == 0


@pytest.mark.parametrize("options", [{}, {"save_all": True, "append_images": [photo(1)]}], ids=["one", "film"])
def test_coded_pixels_of_an_avif_count_whatever_its_header_says(options: dict[str, object]) -> None:
    data = encoded(PLAIN, "AVIF", **options)
    assert coded_pixels(data) == 160 * 120
    small = data.replace(struct.pack(">II", 160, 120), struct.pack(">II", 16, 12))
    limits = ImageLimits(max_pixels=160 * 120 - 1)
    with pytest.raises(ImageError, match="coded pixels of more"):
        decode(small, limits)
    with pytest.raises(ImageError, match="are allowed in all"):
        decode(data, limits)


@pytest.mark.parametrize("data", [b"", bytes(99), b"\xff" * 300, bytes(4) + b"meta" + bytes(9)], ids=repr)
def test_no_coded_pixels_are_found_where_none_are(data: bytes) -> None:
    assert coded_pixels(data) == 0


def tiff_with_page_beneath(tag: int) -> bytes:
    """A TIFF whose only page in the chain is a small version; the full one lies beneath it."""
    small = tiff_of(np.asarray(PLAIN.resize((40, 30))), 2, tags={254: [1], tag: [0]})
    data = bytearray(tiff_in_order(small, tiff_of(np.asarray(PLAIN), 2)))
    page = int.from_bytes(data[4:8], "little")
    end = page + 2 + 12 * int.from_bytes(data[page : page + 2], "little")
    entry = next(place for place in range(page + 2, end, 12) if data[place : place + 2] == struct.pack("<H", tag))
    data[entry + 8 : entry + 12], data[end : end + 4] = data[end : end + 4], bytes(4)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        tiff_in_order(
            tiff_of(np.asarray(PLAIN.resize((40, 30))), 2, tags=small), tiff_of(np.asarray(PLAIN), 2, tags=full)
        )
        for small, full in (
            ({254: [1]}, {}),
            ({254: [4]}, {}),
            ({254: [5]}, {254: [0]}),
            ({255: [2]}, {255: [1]}),
            ({254: [1]}, {254: [1]}),
        )
    ]
    + [tiff_with_page_beneath(330)],
    ids=["reduced", "mask", "reduced mask", "old tag", "both reduced", "beneath"],
)
def test_the_full_page_of_a_tiff_is_the_picture(data: bytes) -> None:
    assert apart(decode(data, LIMITS), PLAIN) == 0


@pytest.mark.parametrize(("space", "index"), [(2, None), (0xFFFF, "R03")])
def test_adobe_rgb_by_exif_alone(space: int, index: str | None) -> None:
    data = Image.Exif()
    data[0x0112] = 1
    data.get_ifd(0x8769)[0xA001] = space
    if index:
        data.get_ifd(0x8769)[0xA005] = {1: index}
    wide = seen_through(PLAIN, icc(ADOBE, 2.2))
    assert apart(decode(encoded(wide, "JPEG", quality=95, exif=data), LIMITS), PLAIN) < 4


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("WEBP", "RGBA"),
        ("GIF", "RGBA"),
        ("TIFF", "RGBA"),
        ("TIFF", "LA"),
        ("AVIF", "RGBA"),
        ("HEIF", "RGBA"),
    ],
)
def test_white_on_transparent_can_be_seen(kind: str, mode: str) -> None:
    layer = white_ring()
    data = encoded(layer.quantize(8) if mode == "P" else layer.convert(mode), kind, **SAVED.get(kind, {}))
    for target in (None, 60):
        values = np.asarray(decode(data, LIMITS, target=target))
        assert values.min() == pytest.approx(176, abs=3)
        assert values.max() > 250


@pytest.mark.parametrize("subject", ["black", "red", "gold", (225, 225, 225)])
def test_what_can_be_seen_on_white_is_on_white(subject: str | tuple[int, int, int]) -> None:
    layer = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    layer.paste(Image.new("RGBA", (20, 20), subject), (20, 20))
    assert decode(encoded(layer), LIMITS).getpixel((0, 0)) == (255, 255, 255)


def test_nothing_but_transparency_is_white() -> None:
    assert decode(encoded(Image.new("RGBA", (9, 9), (255, 255, 255, 0))), LIMITS).getcolors() == [(81, (255,) * 3)]
