"""Bytes of a picture become pixels: which formats, which way up, on which ground, and how large at most."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from app.domain.errors import ImageError

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large a picture may be: bytes as sent, pixels of its first frame."""

    max_bytes: int = 20 * 2**20
    max_pixels: int = 64_000_000


def decode(data: bytes, limits: ImageLimits, *, target: int | None = None) -> Image.Image:
    """Return a picture as RGB: upright by its EXIF orientation, transparency on white, the first frame of several.

    Args:
        data: an encoded PNG, JPEG, TIFF, WebP, GIF or BMP.
        limits: bytes and pixels at most; pixels are counted from the header, before anything is decoded.
        target: with it, a larger picture may be scaled down early, its short side never below `target` pixels.

    Raises:
        ImageError: it is not such a picture, is damaged, or is too large.

    """
    if len(data) > limits.max_bytes:
        raise ImageError(f"the picture has {len(data)} bytes; {limits.max_bytes} are allowed")
    if not data:
        raise ImageError("the picture is empty")
    try:
        # Pillow warns of odd metadata and of large pictures; the limits here are stricter than the latter.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return _decoded(picture, limits, target)
    except UnidentifiedImageError:
        raise ImageError("this is not a picture in one of the formats PNG, JPEG, TIFF, WebP, GIF, BMP") from None
    except Image.DecompressionBombError:
        raise ImageError(f"the picture has too many pixels; {limits.max_pixels} are allowed") from None
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("the picture is too large to be decoded") from None
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, ArithmeticError, RuntimeError):
        # What Pillow's parsers raise on damaged files; which one depends on the format and on the damage.
        raise ImageError("the picture is damaged and cannot be decoded") from None


def _decoded(picture: Image.Image, limits: ImageLimits, target: int | None) -> Image.Image:
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise ImageError(f"the picture has {width} x {height} pixels; {limits.max_pixels} are allowed in all")
    if width < 1 or height < 1:
        raise ImageError("the picture has no pixels")
    if target is not None and picture.format == "JPEG":
        # libjpeg decodes at 1/2, 1/4 or 1/8 for less than the time of the whole; never below what is wanted.
        scale = target / min(width, height)
        if scale < 1:
            picture.draft(None, (int(width * scale), int(height * scale)))
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    return _rgb(upright)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return _from_16_bits(picture)
    if picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture, np.float64))
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)).convert("RGB")
    if picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey values as 8 bits: the upper byte, where Pillow's own conversion would cut at 255."""
    values = np.asarray(picture).astype(np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8)).convert("RGB")


def thumbnail(picture: Image.Image, size: int = 192) -> bytes:
    """Return a picture as WebP, its longer side `size` pixels at most."""
    small = picture.copy()
    small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=75, method=2)
    return buffer.getvalue()
