"""Pictures that tests need: one that looks like something, and files that no camera makes."""

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.embedding.batching import Models


def photo(number: int = 0, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of its own for each number, smooth enough for JPEG, different in each of its corners."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    down, across = down / height, across / width
    chance = np.random.default_rng(number)
    layers = []
    for _ in range(3):
        a, b, c, d = chance.uniform(0.5, 3.0, 4)
        layers.append(np.sin(a * across * 3 + c) + np.cos(b * down * 3 + d) + across - down)
    values = np.stack(layers, axis=2)
    values = (values - values.min()) / (values.max() - values.min()) * 255
    picture = Image.fromarray(values.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        x, y = chance.uniform(0.05, 0.6, 2)
        colour = tuple(int(value) for value in chance.integers(0, 256, 3))
        pen.ellipse((x * width, y * height, (x + 0.25) * width, (y + 0.3) * height), fill=colour)
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def as_base64(data: bytes) -> str:
    """Bytes as `_base64` takes them."""
    return base64.b64encode(data).decode()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 0, before: bytes = b"") -> bytes:
    """A PNG put together by hand: `rows` before they are compressed, and whole chunks to stand before them."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + body + png_chunk(b"IEND", b"")


def png_bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in 2 kB."""
    return png(100_000, 100_000, bytes(2_000_000))


def tiff(tags: dict[int, int], payload: bytes = b"") -> bytes:
    """A TIFF of 32-bit tags put together by hand; the payload follows the tags, and 0 for an offset means its place."""
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b""
    for tag, value in sorted(tags.items()):
        offset = tag in {273, 324} and value == 0
        entries += struct.pack("<HHII", tag, 4, 1, start if offset else value)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4) + payload


def exif(orientation: int) -> bytes:
    """EXIF that says which side of the picture is up."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def apart(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures' values, 0 to 255."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


def embed_pictures(models: Models, name: str, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Rows of unit length by a model, in order."""
    model = models.get(name)
    return model.embed([model.prepare(picture) for picture in pictures])
