"""Pictures that tests need: one that looks like something, and files that no camera makes."""

import base64
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, TiffImagePlugin

from app.embedding.models.batching import Models


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
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="HEIC takes the extra heic").register_heif_opener()
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


def tiff_of(
    values: NDArray[Any],
    photometric: int,
    *,
    order: Literal["<", ">"] = "<",
    planar: int = 1,
    compression: int = 1,
    predictor: int = 1,
    tile: int = 0,
    tags: Mapping[int, Sequence[int]] | None = None,
    big: bool = False,
) -> bytes:
    """A TIFF of samples (height, width, n) of any number type, put together by hand.

    Args:
        values: whole numbers or floating point.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK, 8 CIELAB.
        order: "<" or ">", of its bytes.
        planar: 1 pixel by pixel, 2 a plane for each channel.
        compression: 1 none, 8 deflate, 5 LZW.
        predictor: 2 differences of neighbours, 3 the same of floating point.
        tile: side of tiles, a multiple of 16; 0: one strip.
        tags: further ones, and those to be written otherwise.
        big: whether offsets have 64 bits (BigTIFF).

    """
    height, width, count = values.shape
    planes = [values[..., number : number + 1] for number in range(count)] if planar == 2 else [values]
    side = (tile or height, tile or width)
    blocks = [_tiff_blocks(plane, side, order, predictor) for plane in planes]
    packed = [_tiff_packed(block, compression) for plane in blocks for block in plane]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    rows: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: [8 * values.dtype.itemsize] * count,
        259: [compression],
        262: [photometric],
        277: [count],
        284: [planar],
        317: [predictor],
        339: [kind] * count,
    }
    rows |= {322: [tile], 323: [tile]} if tile else {278: [height]}
    rows[325 if tile else 279] = [len(block) for block in packed]
    start = 16 if big else 8
    places = [start + sum(map(len, packed[:number])) for number in range(len(packed))]
    rows[324 if tile else 273] = places
    rows |= tags or {}
    body = b"".join(packed)
    page = start + len(body)
    word, number, head = ("Q", 16, "Q") if big else ("I", 4, "H")
    size = struct.calcsize(word)
    rest = page + struct.calcsize(order + head) + len(rows) * (4 + 2 * size) + size
    entries, behind = b"", b""
    for tag, numbers in sorted(rows.items()):
        field = struct.pack(f"{order}{len(numbers)}{word}", *numbers)
        if len(field) > size:
            field, behind = struct.pack(order + word, rest + len(behind)), behind + field
        entries += struct.pack(f"{order}HH{word}", tag, number, len(numbers)) + field.ljust(size, b"\0")
    out = (b"II" if order == "<" else b"MM") + (
        struct.pack(order + "HHHQ", 43, 8, 0, page) if big else struct.pack(order + "HI", 42, page)
    )
    return out + body + struct.pack(order + head, len(rows)) + entries + bytes(size) + behind


def _tiff_blocks(plane: NDArray[Any], side: tuple[int, int], order: Literal["<", ">"], predictor: int) -> list[bytes]:
    height, width, count = plane.shape
    blocks = []
    for top in range(0, height, side[0]):
        for left in range(0, width, side[1]):
            part = plane[top : top + side[0], left : left + side[1]]
            block = np.pad(part, ((0, side[0] - part.shape[0]), (0, side[1] - part.shape[1]), (0, 0)))
            if predictor == 3:
                size = block.dtype.itemsize
                raw = block.astype(f">f{size}").reshape(side[0], -1).view(np.uint8).reshape(side[0], -1, size)
                weights = raw.swapaxes(1, 2).reshape(side[0], -1, count)
                block = np.diff(weights, axis=1, prepend=np.zeros_like(weights[:, :1]))
            elif predictor == 2:
                block = np.diff(block, axis=1, prepend=np.zeros_like(block[:, :1]))
            blocks.append(block.astype(block.dtype.newbyteorder(order)).tobytes())
    return blocks


def _tiff_packed(block: bytes, compression: int) -> bytes:
    if compression == 8:
        return zlib.compress(block)
    if compression == 5:  # as libtiff packs a grey picture of one row of these bytes
        picture = Image.frombytes("L", (len(block), 1), block)
        with Image.open(io.BytesIO(whole := encoded(picture, "TIFF", compression="tiff_lzw"))) as file:
            assert isinstance(file, TiffImagePlugin.TiffImageFile)
            (place,), (length,) = file.tag_v2[273], file.tag_v2[279]
        return whole[place : place + length]
    return block


def tiff_in_order(*files: bytes) -> bytes:
    """One TIFF of the pages of several, each of which has one, by `tiff_of` with "<" and 32 bits."""
    out = b""
    link = 4
    for file in files:
        start = len(out) if out else 0
        moved = _tiff_moved(file, start)
        page = int.from_bytes(moved[4:8], "little")
        if out:
            out = out[:link] + struct.pack("<I", page) + out[link + 4 :]
        out += moved
        link = page + 2 + 12 * int.from_bytes(out[page : page + 2], "little")
    return out


def _tiff_moved(file: bytes, by: int) -> bytes:
    """A TIFF by `tiff_of` with its offsets counted from `by` bytes before it."""
    data = bytearray(file)
    page = int.from_bytes(file[4:8], "little")
    data[4:8] = struct.pack("<I", page + by)
    for number in range(int.from_bytes(file[page : page + 2], "little")):
        place = page + 2 + 12 * number
        tag, _, count, value = struct.unpack_from("<HHII", file, place)
        if count > 1:
            struct.pack_into("<I", data, place + 8, value + by)
            if tag in {273, 324, 330}:
                numbers = struct.unpack_from(f"<{count}I", file, value)
                struct.pack_into(f"<{count}I", data, value, *(number + by for number in numbers))
        elif tag in {273, 324, 330}:
            struct.pack_into("<I", data, place + 8, value + by)
    return bytes(data)


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
