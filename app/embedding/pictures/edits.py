"""Pictures are edited on their way from one place to another: each edit by its name.

An edit takes an RGB picture and returns one. `light` ones keep the whole picture in its place: a radius of near
duplicates should survive them. The others move or cut what is seen.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Edit = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class Row:
    """One edit; `light` where the whole picture stays in its place."""

    name: str
    edit: Edit
    light: bool


def _saved(picture: Image.Image, kind: str, quality: int) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, kind, quality=quality)
    return Image.open(stream).convert("RGB")


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _cropped(picture: Image.Image, share: float) -> Image.Image:
    """Cut a share of the picture away at each of the four sides."""
    x, y = round(picture.width * share), round(picture.height * share)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def _framed(picture: Image.Image, share: float) -> Image.Image:
    """Put white around it, a share of the longer side wide."""
    return ImageOps.expand(picture, round(max(picture.size) * share), "white")


def _turned(picture: Image.Image, degrees: float) -> Image.Image:
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")


def _warmed(picture: Image.Image) -> Image.Image:
    """Turn up red by 10 % and turn down blue by 10 %, as another white balance does."""
    factors = np.array([1.1, 1.0, 0.9], np.float32)
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) * factors, 0, 255).astype(np.uint8))


def _blurred(picture: Image.Image) -> Image.Image:
    """Blur by a Gaussian of 0.5 % of the longer side."""
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) * 0.005))


def _with_logo(picture: Image.Image) -> Image.Image:
    """Put a dark box with a white disc into the lower right corner: 3 % of the picture's area."""
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    width, height = made.size
    left, top, right, bottom = width * 0.78, height * 0.83, width * 0.98, height * 0.98
    pen.rectangle((left, top, right, bottom), fill=(32, 48, 96))
    half, x, y = (bottom - top) * 0.35, (left + right) / 2, (top + bottom) / 2
    pen.ellipse((x - half, y - half, x + half, y + half), fill="white")
    return made


def _watermarked(picture: Image.Image) -> Image.Image:
    """Write over the whole width of the middle, in white of 40 %."""
    layer = Image.new("L", (60, 12), 0)
    ImageDraw.Draw(layer).text((0, 0), "LOOKALIKE", fill=102)
    box = layer.getbbox() or (0, 0, *layer.size)
    width = round(picture.width * 0.8)
    height = max(1, round(width * (box[3] - box[1]) / (box[2] - box[0])))
    mask = layer.crop(box).resize((width, height), Image.Resampling.BICUBIC)
    made = picture.copy()
    made.paste("white", ((picture.width - width) // 2, (picture.height - height) // 2), mask)
    return made


EDITS: tuple[Row, ...] = (
    Row("JPEG quality 90", lambda picture: _saved(picture, "JPEG", 90), light=True),
    Row("JPEG quality 60", lambda picture: _saved(picture, "JPEG", 60), light=True),
    Row("JPEG quality 30", lambda picture: _saved(picture, "JPEG", 30), light=True),
    Row("WebP quality 50", lambda picture: _saved(picture, "WEBP", 50), light=True),
    Row("half size", lambda picture: _scaled(picture, 0.5), light=True),
    Row("double size", lambda picture: _scaled(picture, 2.0), light=True),
    Row("blur", _blurred, light=True),
    Row("brightness + 20 %", lambda picture: ImageEnhance.Brightness(picture).enhance(1.2), light=True),
    Row("contrast - 20 %", lambda picture: ImageEnhance.Contrast(picture).enhance(0.8), light=True),
    Row("warmer colours", _warmed, light=True),
    Row("black and white", lambda picture: picture.convert("L").convert("RGB"), light=True),
    Row("logo on 3 %", _with_logo, light=True),
    Row("watermark", _watermarked, light=True),
    Row("rotated 2°", lambda picture: _turned(picture, 2), light=False),
    Row("crop 2.5 % a side", lambda picture: _cropped(picture, 0.025), light=False),
    Row("crop 5 % a side", lambda picture: _cropped(picture, 0.05), light=False),
    Row("crop 10 % a side", lambda picture: _cropped(picture, 0.1), light=False),
    Row("white border 4 %", lambda picture: _framed(picture, 0.04), light=False),
    Row("mirrored", ImageOps.mirror, light=False),
)
