"""Bytes of a picture become pixels: which formats, which way up, and how large at most.

The bytes come from anyone, so nothing is decoded, and no room for pixels is made, before the header was checked.
"""

import contextlib
import io
import math

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from app.domain.errors import ImageError
from app.domain.options import ImageLimits
from app.embedding import jpeg
from app.embedding.modes import to_rgb
from app.embedding.remarks import ignore_remarks

FORMATS = (
    PngImagePlugin.PngImageFile.format,
    JpegImagePlugin.JpegImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    GifImagePlugin.GifImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
)
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
_SMOOTH = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})  # modes in which neighbouring pixels may be averaged
_PILLOW = r"PIL\."


def decode(data: bytes, limits: ImageLimits, *, target: int | None = None) -> Image.Image:
    """Return a picture as RGB: upright by its EXIF orientation, transparency on white, the first frame of several.

    Safe to call from several threads at once.

    Args:
        data: an encoded PNG, JPEG, TIFF, WebP, GIF or BMP.
        limits: bytes and pixels at most; pixels are counted from the header, before anything is decoded.
        target: with it, a larger picture is scaled down early by a whole factor, which saves most of the time for large
            ones; its short side never comes below `target` pixels.

    Raises:
        ImageError: it is not such a picture, is damaged, or is too large.

    """
    if not data:
        raise ImageError("the picture is empty")
    if len(data) > limits.max_bytes:
        raise ImageError(f"the picture has {len(data)} bytes; {limits.max_bytes} are allowed")
    if data.startswith(jpeg.START):
        jpeg.check(data)
    ignore_remarks(_PILLOW)  # odd metadata, many pixels: the limits here are stricter
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_header(picture, limits)
            return _decoded(picture, target)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("this is not a picture in one of the formats PNG, JPEG, TIFF, WebP, GIF, BMP") from None
    except Image.DecompressionBombError:
        raise ImageError(f"the picture has too many pixels; {limits.max_pixels} are allowed") from None
    except MemoryError:
        raise ImageError("the picture is too large to be decoded") from None
    except Exception as error:
        # Which errors Pillow's parsers raise depends on the format and on the damage; new versions bring new ones.
        raise ImageError("the picture is damaged or not complete, and cannot be decoded") from error


def thumbnail(picture: Image.Image, size: int = 192) -> bytes:
    """Return an RGB picture as WebP, its longer side `size` pixels at most; smaller ones keep their size."""
    scale = min(1.0, size / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    # Half the time of Lanczos with a wider gap and a slower encoder, for a tenth more bytes; a load is bound by it.
    small = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1.1)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=75, method=0)
    return buffer.getvalue()


def _check_header(picture: Image.Image, limits: ImageLimits) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise ImageError("the picture has no pixels")
    if width * height > limits.max_pixels:
        raise ImageError(f"the picture has {width} x {height} pixels; {limits.max_pixels} are allowed in all")
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # A tile is decoded whole, even where the picture is but a corner of it.
        sides = [picture.tag_v2.get(tag, 1) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)]
        if not all(isinstance(side, int) for side in sides) or math.prod(sides) > limits.max_pixels:
            raise ImageError(f"the picture has tiles of more than the {limits.max_pixels} pixels that are allowed")


def _decoded(picture: Image.Image, target: int | None) -> Image.Image:
    if target is not None and picture.format in _JPEG and target < min(picture.size):
        # libjpeg decodes at 1/2, 1/4 or 1/8 for less than the time of the whole, never below what is asked for.
        scale = target / min(picture.size)
        picture.draft(None, (math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
    picture.load()
    turn = _TURNS.get(_orientation(picture))
    rgb = _reduced(to_rgb(_reduced(picture, target)), target)
    return rgb if turn is None else rgb.transpose(turn)


def _reduced(picture: Image.Image, target: int | None) -> Image.Image:
    factor = 1 if target is None else min(picture.size) // target
    if factor < 2 or picture.mode not in _SMOOTH or "transparency" in picture.info:
        return picture
    return picture.reduce(factor)


def _orientation(picture: Image.Image) -> object:
    """Return what EXIF says about which side is up, 1 to 8; None where it says nothing, or nothing readable.

    Pillow turns TIFF pictures itself while it loads them, and forgets their orientation.
    """
    with contextlib.suppress(Exception):  # damaged metadata, with as many errors as kinds of damage, spoil no picture
        return picture.getexif().get(_ORIENTATION)
    return None
