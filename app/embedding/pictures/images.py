"""Bytes of a picture become pixels: which formats, which way up, and how large at most.

The bytes come from anyone, so nothing is decoded, and no room for pixels is made, before the header was checked.
"""

import contextlib
import functools
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from app.domain.errors import ImageError, Unavailable
from app.domain.options import ImageLimits
from app.embedding.pictures import avif, jpeg, png, tiff_pages, tiff_samples
from app.embedding.pictures.colour_profiles import D65, matrix_profile, to_srgb
from app.embedding.pictures.formats import plugins, refusal
from app.embedding.pictures.modes import eight_bits, on_ground
from app.embedding.warnings import ignore_remarks

_JPEG = frozenset({"JPEG", "MPO"})  # MPO: a JPEG with further pictures behind it, as some telephones write
_ORIENTATION = 0x0112
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SMOOTH = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"})  # modes whose pixels may be averaged
_DECODERS = r"PIL\.|pillow_heif"
_EXIF_PAGE, _COLOUR_SPACE, _INTEROPERABILITY, _ADOBE_RGB, _UNCALIBRATED = 0x8769, 0xA001, 0xA005, 2, 0xFFFF
_NO_MEMORY, _NO_MEMORY_SECONDS = "the server has no memory left to decode the picture; try again in a moment", 5
_MOST_BYTES = 2**28  # of what is asked for to see whether there is memory: a picture of 64 million pixels
_DAMAGED = "the picture is damaged or not complete, and cannot be decoded"


def decode(data: bytes, limits: ImageLimits, *, target: int | None = None) -> Image.Image:
    """Return a picture as sRGB: upright, transparency on a ground, the first frame of several, the full page of a TIFF.

    Colours are converted by the ICC profile that the picture brings. Safe to call from several threads at once.

    Args:
        data: an encoded picture in one of `formats.FORMATS`.
        limits: bytes and pixels at most; pixels are counted from the header, before anything is decoded.
        target: with it, a larger picture is scaled down early by a whole factor, which saves most of the time for large
            ones; its short side never comes below `target` pixels.

    Raises:
        ImageError: it is not such a picture, is damaged, or is too large.
        Unavailable: there was no memory for a picture of the allowed size; it may be a good one.

    """
    if not data:
        raise ImageError("the picture is empty")
    if len(data) > limits.max_bytes:
        raise ImageError(f"the picture has {len(data)} bytes; {limits.max_bytes} are allowed")
    ignore_remarks(_DECODERS)  # odd metadata, many pixels: the limits here are stricter
    try:
        return _upright(_read(data, limits, target), target)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(refusal(data)) from None
    except Image.DecompressionBombError:
        raise ImageError(f"the picture has too many pixels; {limits.max_pixels} are allowed") from None
    except MemoryError as error:
        _check_memory(limits, error)
        raise ImageError("the picture is too large to be decoded") from None
    except Exception as error:
        _check_memory(limits, error)
        # Which errors Pillow's parsers raise depends on the format and on the damage; new versions bring new ones.
        raise ImageError(_DAMAGED) from error


def _check_memory(limits: ImageLimits, error: Exception) -> None:
    """Tell a lack of memory, which decoders report in any way, from a fault of the picture.

    Raises:
        Unavailable: the system has no memory for a large picture, which is asked for and not used.

    """
    try:
        np.empty(min(4 * limits.max_pixels, _MOST_BYTES), np.uint8)
    except MemoryError:
        raise Unavailable(_NO_MEMORY, _NO_MEMORY_SECONDS) from error


def thumbnail(picture: Image.Image, size: int = 192) -> bytes:
    """Return an RGB picture as WebP, its longer side `size` pixels at most; smaller ones keep their size."""
    scale = min(1.0, size / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    # Half the time of Lanczos with a wider gap and a slower encoder, for a tenth more bytes; a load is bound by it.
    small = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1.1)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=75, method=0)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Read:
    """A decoded picture in 8 bits a channel, its ICC profile, and how EXIF says that it is to be turned (1 to 8)."""

    picture: Image.Image
    profile: bytes | None
    orientation: object


def _read(data: bytes, limits: ImageLimits, target: int | None) -> _Read:
    if data.startswith(jpeg.START):
        return _read_jpeg(data, limits, target)
    if data.startswith(png.START):
        return _read_png(data, limits, target)
    if data.startswith(tiff_pages.STARTS):
        return _read_tiff(data, limits, target)
    with _opened(data, limits) as picture:
        return _decoded(picture, target)


def _read_jpeg(data: bytes, limits: ImageLimits, target: int | None) -> _Read:
    found = jpeg.checked(data)
    with _opened(found.data, limits) as picture:
        read = _decoded(picture, target)
    for other in found.others:
        with _opened(other, limits) as picture:
            same = _decoded(picture, target).picture.tobytes() == read.picture.tobytes()
        if not same:
            raise ImageError("the JPEG picture is damaged or not complete: pixels are missing")
    return read


def _read_png(data: bytes, limits: ImageLimits, target: int | None) -> _Read:
    found = png.checked(data)
    with _opened(found.data, limits) as picture:
        if found.key is not None:
            return _Read(_deep_with_key(picture, found), found.profile, _orientation(picture))
        read = _decoded(picture, target)
    return _Read(read.picture, found.profile or read.profile, read.orientation)


def _deep_with_key(picture: Image.Image, found: png.Png) -> Image.Image:
    """Return a 16-bit PNG of which one colour is transparent: LA or RGBA.

    Pillow keeps the upper bytes of colours only, but a colour is transparent if both bytes are the key's.
    """
    key = np.array(found.key, np.uint16)
    if picture.mode.startswith("I;16"):
        values = np.asarray(picture)
        upper, clear = values >> 8, values == key[0]
    else:
        upper = np.asarray(picture)
        with PngImagePlugin.PngImageFile(io.BytesIO(found.data)) as again:
            again.tile = [again.tile[0]._replace(args="RGB;16L")]  # the lower byte where PNG has the upper one
            again.info.pop("transparency", None)
            lower = np.asarray(again)
        clear = ((upper == key >> 8) & (lower == key & 0xFF)).all(axis=2)
    shown = Image.fromarray(upper.astype(np.uint8))
    shown.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return shown


def _read_tiff(data: bytes, limits: ImageLimits, target: int | None) -> _Read:
    page = tiff_pages.shown_page(data)
    tiff_samples.check_compression(page)
    profile = page.raw(TiffImagePlugin.ICCPROFILE)
    if not tiff_samples.is_misread(page):
        with contextlib.suppress(UnidentifiedImageError), _opened(page.as_file(), limits) as picture:
            read = _decoded(picture, target)
            return _Read(read.picture, profile, read.orientation)
        # There is no mode for it in Pillow.
    _check_size(page.number(tiff_pages.WIDTH, 0), page.number(tiff_pages.HEIGHT, 0), limits)
    _check_tiles([page.number(tag, 1) for tag in (tiff_pages.TILE_WIDTH, tiff_pages.TILE_HEIGHT)], limits)
    return _Read(tiff_samples.picture_of(page), profile, page.number(_ORIENTATION, 1))


@contextlib.contextmanager
def _opened(data: bytes, limits: ImageLimits) -> Iterator[Image.Image]:
    """Give a picture whose header says that it may be decoded."""
    with Image.open(io.BytesIO(data), formats=plugins(data)) as picture:
        _check_header(picture, limits)
        if picture.format == "AVIF" and avif.coded_pixels(data) > limits.max_pixels:
            raise ImageError(f"the picture has coded pixels of more than the {limits.max_pixels} that are allowed")
        yield picture


def _check_header(picture: Image.Image, limits: ImageLimits) -> None:
    _check_size(*picture.size, limits)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        sides = (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)
        _check_tiles([picture.tag_v2.get(tag, 1) for tag in sides], limits)


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width < 1 or height < 1:
        raise ImageError("the picture has no pixels")
    if width * height > limits.max_pixels:
        raise ImageError(f"the picture has {width} x {height} pixels; {limits.max_pixels} are allowed in all")


def _check_tiles(sides: list[int], limits: ImageLimits) -> None:
    """Refuse large tiles: one is decoded whole, even where the picture is but a corner of it."""
    if not all(isinstance(side, int) for side in sides) or math.prod(sides) > limits.max_pixels:
        raise ImageError(f"the picture has tiles of more than the {limits.max_pixels} pixels that are allowed")


def _decoded(picture: Image.Image, target: int | None) -> _Read:
    if target is not None and picture.format in _JPEG and target < min(picture.size):
        # libjpeg decodes at 1/2, 1/4 or 1/8 for less than the time of the whole, never below what is asked for.
        scale = target / min(picture.size)
        picture.draft(None, (math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
    picture.load()
    # A palette whose entries are transparent is no picture to average; it becomes one first.
    smaller = picture if "transparency" in picture.info else _reduced(picture, target)
    profile = picture.info.get("icc_profile") or _named_profile(picture)
    return _Read(eight_bits(smaller), profile, _orientation(picture))


def _upright(read: _Read, target: int | None) -> Image.Image:
    rgb = on_ground(to_srgb(_reduced(read.picture, target), read.profile))
    turn = _TURNS.get(read.orientation)
    return rgb if turn is None else rgb.transpose(turn)


def _reduced(picture: Image.Image, target: int | None) -> Image.Image:
    factor = 1 if target is None else min(picture.size) // target
    return picture if factor < 2 or picture.mode not in _SMOOTH else picture.reduce(factor)


def _orientation(picture: Image.Image) -> object:
    """Return what EXIF says about which side is up, 1 to 8; None where it says nothing, or nothing readable.

    Pillow turns TIFF pictures itself while it loads them, and forgets their orientation. It gives the turns and mirrors
    of AVIF as an orientation; those of HEIC are done while it is decoded, and its EXIF is set right.
    """
    with contextlib.suppress(Exception):  # damaged metadata, with as many errors as kinds of damage, spoil no picture
        return picture.getexif().get(_ORIENTATION)
    return None


def _named_profile(picture: Image.Image) -> bytes | None:
    """Return the profile of Adobe RGB where EXIF names it, as cameras do that write no profile."""
    if picture.format not in _JPEG:
        return None
    with contextlib.suppress(Exception):
        exif = picture.getexif()
        space = exif.get_ifd(_EXIF_PAGE).get(_COLOUR_SPACE)
        index = exif.get_ifd(_INTEROPERABILITY).get(1) if space == _UNCALIBRATED else None
        if space == _ADOBE_RGB or str(index).startswith("R03"):
            return _adobe_rgb()
    return None


@functools.cache
def _adobe_rgb() -> bytes | None:
    return matrix_profile((0.64, 0.33, 0.21, 0.71, 0.15, 0.06), D65, 563 / 256)  # Adobe RGB (1998), 4.3.1
