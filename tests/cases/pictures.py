"""Every kind of picture: what becomes of it. `docs/pictures.md` shows these rows, and a test compares the two."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from tests.pictures import encoded, photo, png, png_chunk, tiff_in_order, tiff_of

PLAIN = photo()
GREY = PLAIN.convert("L")
COLOURS = np.asarray(PLAIN)
GREYS = np.asarray(GREY)[..., None]
INKS = np.asarray(PLAIN.convert("CMYK"))
SIDE = (320, 240)


@dataclass(frozen=True)
class Kind:
    """A row: format, kind and what is done are the words of the docs.

    `like` is what it must look like, at most `within` apart (the mean of the differences of values); None: refused, and
    `said` is a regular expression for the reason.
    """

    format: str
    kind: str
    done: str
    data: Callable[[], bytes]
    like: Callable[[], Image.Image] | None = None
    within: float = 0.0
    said: str = ""

    @property
    def id(self) -> str:
        return f"{self.format} {self.kind}"


def deep(values: NDArray[np.uint8], kind: str = "<u2") -> NDArray[np.generic]:
    """Values of 8 bits as deeper ones of the same meaning."""
    number = np.dtype(kind)
    if number.kind == "f":
        return (values / 255).astype(number)
    return (values.astype(np.uint64) * (0x0101010101010101 >> (64 - 8 * number.itemsize))).astype(number)


def with_alpha(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same, on a transparent ground whose colour must not be seen."""
    height, width, bands = values.shape
    ground = np.full((SIDE[1], SIDE[0], bands + 1), 90, np.uint8)
    ground[..., bands] = 0
    ground[60 : 60 + height, 80 : 80 + width, :bands] = values
    ground[60 : 60 + height, 80 : 80 + width, bands] = 255
    return ground


def on_white(picture: Image.Image = PLAIN) -> Image.Image:
    ground = Image.new("RGB", SIDE, "white")
    ground.paste(picture.convert("RGB"), (80, 60))
    return ground


def on_clear(mode: str) -> Image.Image:
    picture = Image.fromarray(with_alpha(COLOURS))
    return picture.quantize(256) if mode == "P" else picture.convert(mode)


def frames(kind: str, **options: object) -> bytes:
    return encoded(PLAIN, kind, save_all=True, append_images=[photo(1), photo(2)], **options)


def deep_png(values: NDArray[np.uint8], colour: int, key: bytes = b"") -> bytes:
    return deep_values_png(deep(values, ">u2"), colour, key)


def deep_values_png(values: NDArray[np.generic], colour: int, key: bytes) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    before = png_chunk(b"tRNS", key) if key else b""
    return png(values.shape[1], values.shape[0], rows, bits=16, colour=colour, before=before)


def keyed_png(values: NDArray[np.uint8], colour: int) -> bytes:
    """16 bits on a ground of one colour, which is transparent; a near one, of the same upper bytes, is not."""
    placed = deep(with_alpha(values)[..., :-1])
    inside = with_alpha(values)[..., -1] == 255
    placed[inside] |= 1
    placed[~inside] = 0x1234 & ~1
    key = struct.pack(">H", 0x1234 & ~1) * values.shape[2]
    return deep_values_png(placed, colour, key)


def bmp(head: bytes, bits: int, compression: int, pixels: bytes, *, height: int = 120) -> bytes:
    size = 40 + len(head)
    info = struct.pack("<IiiHHIIiiII", 40, 160, height, 1, bits, compression, len(pixels), 0, 0, 0, 0) + head
    return b"BM" + struct.pack("<III", 14 + size + len(pixels), 0, 14 + size) + info + pixels


def bmp_5_6_5() -> bytes:
    red, green, blue = (COLOURS[::-1, :, band].astype(np.uint16) for band in range(3))
    pixels = (red >> 3 << 11 | green >> 2 << 5 | blue >> 3).astype("<u2").tobytes()
    return bmp(struct.pack("<III", 0xF800, 0x7E0, 0x1F), 16, 3, pixels)


def bmp_of_runs() -> bytes:
    rows = b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in np.asarray(GREY)[::-1])
    palette = b"".join(bytes((value, value, value, 0)) for value in range(256))
    return bmp(palette, 8, 1, rows + b"\0\1")


def bmp_top_down() -> bytes:
    return bmp(b"", 24, 0, COLOURS[..., ::-1].tobytes(), height=-120)


def lab() -> NDArray[np.uint8]:
    """CIELAB as TIFF and Pillow have it, a* and b* signed."""
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")),
        "RGB",
        "LAB",
    )
    shown = ImageCms.applyTransform(PLAIN, transform)
    assert shown is not None
    return np.asarray(shown)


def jpeg_of_inks(*, adobe: bool) -> bytes:
    data = encoded(PLAIN.convert("CMYK"), "JPEG", quality=95)  # with an Adobe segment, and so inverted
    if adobe:
        return data
    place = data.index(b"\xff\xee")
    return data[:place] + data[place + 2 + int.from_bytes(data[place + 2 : place + 4]) :]


def white_ring(mode: str = "RGBA") -> Image.Image:
    """A white ring on a transparent ground."""
    layer = Image.new("LA", SIDE, (255, 0))
    down, across = np.mgrid[0 : SIDE[1], 0 : SIDE[0]]
    away = np.hypot(down - SIDE[1] / 2, across - SIDE[0] / 2)
    layer.putalpha(Image.fromarray(np.where((away > 50) & (away < 90), 255, 0).astype(np.uint8)))
    return layer.convert(mode)


def ring_on_grey() -> Image.Image:
    ground = Image.new("RGB", SIDE, (176, 176, 176))
    ground.paste(white_ring().convert("RGB"), mask=white_ring().getchannel("A"))
    return ground


def plain() -> Image.Image:
    return PLAIN


def grey() -> Image.Image:
    return GREY


def black_and_white() -> Image.Image:
    return PLAIN.convert("1")


def heif(**options: object) -> bytes:
    return encoded(PLAIN, "HEIF", quality=95, **options)


def twelve_bits() -> bytes:
    values = np.asarray(GREY).astype(np.uint16).reshape(-1, 2)
    first, second = values[:, 0] * 257 >> 4, values[:, 1] * 257 >> 4
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    return tiff_of(packed.reshape(120, 240, 1), 1, tags={256: [160], 258: [12]})


def small_page_first() -> bytes:
    small = np.asarray(PLAIN.resize((40, 30)))
    return tiff_in_order(tiff_of(small, 2, tags={254: [1]}), tiff_of(COLOURS, 2, tags={254: [0]}))


ALPHA = "transparency on white"
UPPER = "the upper 8 bits of each value"
FIRST = "the first frame"
MULTIPLIED = "inks multiplied where there is no profile"

KINDS = (
    Kind("PNG", "RGB, 8 bits", "as it is", lambda: encoded(PLAIN), plain),
    Kind("PNG", "RGB, 16 bits", UPPER, lambda: deep_png(COLOURS, 2), plain),
    Kind("PNG", "RGB, 16 bits, a transparent colour", f"{UPPER}; {ALPHA}", lambda: keyed_png(COLOURS, 2), on_white),
    Kind("PNG", "RGB with alpha, 8 bits", ALPHA, lambda: encoded(on_clear("RGBA")), on_white),
    Kind("PNG", "RGB with alpha, 16 bits", f"{UPPER}; {ALPHA}", lambda: deep_png(with_alpha(COLOURS), 6), on_white),
    Kind("PNG", "grey, 8 bits", "as it is", lambda: encoded(GREY), grey),
    Kind("PNG", "grey, 16 bits", UPPER, lambda: deep_png(GREYS, 0), grey),
    Kind(
        "PNG",
        "grey, 16 bits, a transparent value",
        f"{UPPER}; {ALPHA}",
        lambda: keyed_png(GREYS, 0),
        lambda: on_white(GREY),
    ),
    Kind("PNG", "grey with alpha, 8 bits", ALPHA, lambda: encoded(on_clear("LA")), lambda: on_white(GREY), 0.5),
    Kind(
        "PNG",
        "grey with alpha, 16 bits",
        f"{UPPER}; {ALPHA}",
        lambda: deep_png(with_alpha(GREYS), 4),
        lambda: on_white(GREY),
    ),
    Kind("PNG", "1 bit", "as it is", lambda: encoded(PLAIN.convert("1")), black_and_white),
    Kind("PNG", "palette", "as it is", lambda: encoded(PLAIN.quantize(256)), plain, 8),
    Kind("PNG", "palette with transparent entries", ALPHA, lambda: encoded(on_clear("P")), on_white, 8),
    Kind("PNG", "animated", FIRST, lambda: frames("PNG"), plain),
    Kind("JPEG", "RGB", "as it is", lambda: encoded(PLAIN, "JPEG", quality=95), plain, 3),
    Kind(
        "JPEG", "RGB, progressive", "as it is", lambda: encoded(PLAIN, "JPEG", quality=95, progressive=True), plain, 3
    ),
    Kind("JPEG", "grey", "as it is", lambda: encoded(GREY, "JPEG", quality=95), grey, 3),
    Kind("JPEG", "CMYK", MULTIPLIED, lambda: jpeg_of_inks(adobe=True), plain, 4),
    Kind(
        "JPEG",
        "CMYK without Adobe's mark",
        f"inverted all the same; {MULTIPLIED}",
        lambda: jpeg_of_inks(adobe=False),
        plain,
        4,
    ),
    Kind("JPEG", "several pictures (MPO)", FIRST, lambda: frames("MPO", quality=95), plain, 3),
    Kind("TIFF", "RGB, 8 bits", "as it is", lambda: encoded(PLAIN, "TIFF"), plain),
    Kind("TIFF", "RGB, 8 bits, a plane each", "as it is", lambda: tiff_of(COLOURS, 2, planar=2, compression=8), plain),
    Kind("TIFF", "RGB, 16 bits", UPPER, lambda: tiff_of(deep(COLOURS), 2), plain),
    Kind("TIFF", "RGB, 16 bits, a plane each", UPPER, lambda: tiff_of(deep(COLOURS), 2, planar=2), plain),
    Kind(
        "TIFF",
        "RGB, 16 bits, a plane each, LZW, tiles",
        UPPER,
        lambda: tiff_of(deep(COLOURS), 2, planar=2, compression=5, predictor=2, tile=64, order=">"),
        plain,
    ),
    Kind(
        "TIFF",
        "RGB, floating point",
        "0 to 1 scaled; else stretched from the lowest to the highest value",
        lambda: tiff_of(deep(COLOURS, "<f4"), 2, compression=8, predictor=3),
        plain,
        0.5,
    ),
    Kind("TIFF", "RGB with alpha, 8 bits", ALPHA, lambda: encoded(on_clear("RGBA"), "TIFF"), on_white),
    Kind(
        "TIFF",
        "RGB with alpha, 16 bits, a plane each",
        f"{UPPER}; {ALPHA}",
        lambda: tiff_of(deep(with_alpha(COLOURS)), 2, planar=2, tags={338: [2]}),
        on_white,
    ),
    Kind("TIFF", "grey, 8 bits", "as it is", lambda: encoded(GREY, "TIFF"), grey),
    Kind("TIFF", "grey, 8 bits, white is 0", "as it is", lambda: tiff_of(255 - GREYS, 0), grey),
    Kind("TIFF", "grey, 16 bits", UPPER, lambda: tiff_of(deep(GREYS), 1), grey),
    Kind("TIFF", "grey, 16 bits, white is 0", UPPER, lambda: tiff_of(deep(255 - GREYS), 0, order=">"), grey),
    Kind("TIFF", "grey, 12 bits", UPPER, twelve_bits, grey),
    Kind(
        "TIFF",
        "grey with alpha, 16 bits",
        f"{UPPER}; {ALPHA}",
        lambda: tiff_of(deep(with_alpha(GREYS)), 1, tags={338: [2]}),
        lambda: on_white(GREY),
    ),
    Kind(
        "TIFF",
        "grey, 32 bits",
        "the upper 8 of 16 bits; larger values stretched",
        lambda: encoded(Image.fromarray(np.asarray(GREY).astype(np.int32) * 257), "TIFF"),
        grey,
    ),
    Kind(
        "TIFF",
        "grey, floating point",
        "stretched from the lowest to the highest value",
        lambda: encoded(Image.fromarray((np.asarray(GREY) / 255).astype(np.float32)), "TIFF"),
        lambda: ImageOps.autocontrast(GREY),
        1,
    ),
    Kind(
        "TIFF",
        "1 bit, fax compression",
        "as it is",
        lambda: encoded(PLAIN.convert("1"), "TIFF", compression="group4"),
        black_and_white,
    ),
    Kind("TIFF", "palette", "as it is", lambda: encoded(PLAIN.quantize(256), "TIFF"), plain, 8),
    Kind("TIFF", "CMYK, 8 bits", MULTIPLIED, lambda: tiff_of(INKS, 5), plain, 1),
    Kind(
        "TIFF",
        "CMYK, 16 bits, a plane each",
        f"{UPPER}; {MULTIPLIED}",
        lambda: tiff_of(deep(INKS), 5, planar=2),
        plain,
        1,
    ),
    Kind(
        "TIFF",
        "CMYK with alpha",
        f"{ALPHA}; {MULTIPLIED}",
        lambda: tiff_of(with_alpha(INKS), 5, tags={338: [2]}),
        on_white,
        1,
    ),
    Kind("TIFF", "CIELAB, 8 bits", "converted", lambda: tiff_of(lab(), 8), plain, 2),
    Kind("TIFF", "CIELAB, 16 bits", "converted", lambda: tiff_of(lab().astype(np.uint16) << 8, 8), plain, 2),
    Kind(
        "TIFF", "JPEG compression", "as it is", lambda: encoded(PLAIN, "TIFF", compression="jpeg", quality=95), plain, 4
    ),
    Kind("TIFF", "64-bit offsets (BigTIFF)", "as it is", lambda: tiff_of(COLOURS, 2, order=">", big=True), plain),
    Kind("TIFF", "several pages", "the first page", lambda: frames("TIFF"), plain),
    Kind("TIFF", "a reduced version first", "the first page in full size", small_page_first, plain),
    Kind(
        "TIFF",
        "another compression",
        "refused, with its name",
        lambda: tiff_of(COLOURS, 2, tags={259: [34712]}),
        said=r"a TIFF whose compression 34712 \(JPEG 2000\) is not supported",
    ),
    Kind(
        "TIFF",
        "other samples",
        "refused, with what they are",
        lambda: tiff_of(COLOURS, 2, tags={262: [32845]}),
        said="TIFF of a kind that is not supported: photometric interpretation 32845, samples a pixel: 3, bits each: 8",
    ),
    Kind("WebP", "RGB", "as it is", lambda: encoded(PLAIN, "WEBP", quality=95), plain, 4),
    Kind("WebP", "RGB, lossless", "as it is", lambda: encoded(PLAIN, "WEBP", lossless=True), plain),
    Kind("WebP", "RGB with alpha", ALPHA, lambda: encoded(on_clear("RGBA"), "WEBP", lossless=True), on_white),
    Kind("WebP", "animated", FIRST, lambda: frames("WEBP", lossless=True), plain),
    Kind("GIF", "palette", "as it is", lambda: encoded(PLAIN, "GIF"), plain, 8),
    Kind("GIF", "palette with a transparent entry", ALPHA, lambda: encoded(on_clear("RGBA"), "GIF"), on_white, 8),
    Kind("GIF", "animated", FIRST, lambda: frames("GIF"), plain, 8),
    Kind("BMP", "RGB, 8 bits", "as it is", lambda: encoded(PLAIN, "BMP"), plain),
    Kind("BMP", "RGB, rows from the top", "as it is", bmp_top_down, plain),
    Kind("BMP", "RGB, 5 and 6 bits", "as it is", bmp_5_6_5, plain, 4),
    Kind("BMP", "palette, run lengths", "as it is", bmp_of_runs, grey),
    Kind("BMP", "1 bit", "as it is", lambda: encoded(PLAIN.convert("1"), "BMP"), black_and_white),
    Kind("AVIF", "RGB", "as it is", lambda: encoded(PLAIN, "AVIF", quality=95), plain, 2),
    Kind("AVIF", "RGB with alpha", ALPHA, lambda: encoded(on_clear("RGBA"), "AVIF", quality=100), on_white, 2),
    Kind("AVIF", "grey", "as it is", lambda: encoded(GREY, "AVIF", quality=95), grey, 2),
    Kind("AVIF", "animated", FIRST, lambda: frames("AVIF", quality=95), plain, 3),
    Kind("HEIC", "RGB", "as it is", heif, plain, 2),
    Kind("HEIC", "RGB with alpha", ALPHA, lambda: encoded(on_clear("RGBA"), "HEIF", quality=95), on_white, 2),
    Kind("HEIC", "grey", "as it is", lambda: encoded(GREY, "HEIF", quality=95), grey, 2),
    Kind(
        "HEIC", "several pictures", "the primary one", lambda: heif(save_all=True, append_images=[photo(1)]), plain, 2
    ),
    Kind(
        "any",
        "white or nearly white on transparent",
        "on grey (176), as white would hide it",
        lambda: encoded(white_ring()),
        ring_on_grey,
    ),
    Kind(
        "any",
        "another format",
        "refused, with its name where it is known",
        lambda: b"%PDF-1.7\n" + bytes(99),
        said="this is a PDF document; it is not a picture in one of the formats PNG, JPEG",
    ),
)
