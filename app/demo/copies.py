"""What happens to a picture that is copied from shop to shop."""

from collections.abc import Callable
from io import BytesIO
from types import MappingProxyType

from PIL import Image, ImageEnhance


def _recompressed(picture: Image.Image) -> Image.Image:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=38)
    return Image.open(stream).convert("RGB")


def _brightened(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1.06)


def _cropped(picture: Image.Image) -> Image.Image:
    size, edge = picture.width, round(picture.width * 0.02)
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=(edge, edge, size - edge, size - edge))


def _shrunk(picture: Image.Image) -> Image.Image:
    small = picture.resize((picture.width * 5 // 8,) * 2, Image.Resampling.BICUBIC)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


COPIES: MappingProxyType[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {"recompressed": _recompressed, "brightened": _brightened, "cropped": _cropped, "shrunk": _shrunk}
)


def copied(picture: Image.Image, how: str) -> Image.Image:
    """Return a copy of a picture, changed in the way that is named in `COPIES`."""
    return COPIES[how](picture)
