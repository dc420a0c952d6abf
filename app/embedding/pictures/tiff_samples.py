"""Samples of TIFF pages of which Pillow has no mode: deep ones a plane each, floating-point colours, inks with alpha.

Pillow and libtiff still unpack them: each plane is shown to them as a grey picture that is as many bytes wide. What the
bytes mean is worked out here.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from app.domain.errors import ImageError
from app.embedding.pictures import tiff_pages as tags
from app.embedding.pictures.modes import deep_to_bytes
from app.embedding.pictures.tiff_pages import Page

_KNOWN = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000})
_OTHERS = {
    9: "JBIG",
    10: "JBIG",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_BYTES = frozenset({1, 5, 8, 32773, 32946, 34925, 50000})  # none, LZW, deflate, PackBits, LZMA, Zstandard: any bytes
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3}  # photometric interpretation -> channels
_INTERPRETATIONS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "inks", 6: "YCbCr", 8: "CIELAB"}
_FORMATS = {1: "whole numbers", 2: "signed numbers", 3: "floating point"}
_LAB = 8


@dataclass(frozen=True, slots=True)
class _Layout:
    """The layout of a page's samples: `bits` of each, `kind` as in `_FORMATS`, `planes` of `per` samples a pixel."""

    width: int
    height: int
    bits: int
    kind: int
    samples: int
    planes: int
    photometric: int
    compression: int

    @property
    def per(self) -> int:
        return self.samples // self.planes


def _layout(page: Page) -> _Layout:
    samples = page.number(tags.SAMPLES, 1)
    bits, kinds = page.numbers(tags.BITS) or [1], page.numbers(tags.FORMAT) or [1]
    planes = samples if page.number(tags.PLANAR, 1) == 2 else 1
    return _Layout(
        page.number(tags.WIDTH, 0),
        page.number(tags.HEIGHT, 0),
        bits[0] if len(set(bits)) == 1 else 0,
        kinds[0] if len(set(kinds)) == 1 else 0,
        samples,
        planes,
        page.number(tags.PHOTOMETRIC, 0),
        page.number(tags.COMPRESSION, 1),
    )


def is_misread(page: Page) -> bool:
    """Say whether Pillow takes such a page for another picture than it is.

    Of planes it knows those of 8 bits, and three or four of them; it does not mind that white is 0 in deep greys.
    """
    layout = _layout(page)
    deep = layout.bits > 8 and (layout.planes > 1 or layout.photometric == 0)
    return layout.compression in _BYTES and (deep or layout.planes not in {1, _COLOURS.get(layout.photometric)})


def picture_of(page: Page) -> Image.Image:
    """Return a page that Pillow cannot read, in 8 bits a channel: mode L, LA, RGB, RGBA, CMYK or LAB.

    Raises:
        ImageError: it cannot be read; the message says what it is.

    """
    layout = _layout(page)
    _check(page, layout)
    rows = [_rows(page, layout, plane) for plane in range(layout.planes)]
    values = np.concatenate(rows, axis=2)
    bands = _COLOURS[layout.photometric]
    extra = page.number(tags.EXTRA, 0) if layout.samples > bands else 0
    alpha = _opacity(values[..., bands]) if extra in {1, 2} else None
    colours = values[..., :bands]
    if layout.photometric == _LAB:
        shown = (colours.astype(np.uint32) >> (layout.bits - 8)).astype(np.uint8)
        return Image.frombytes("LAB", (layout.width, layout.height), shown.tobytes())
    shown = deep_to_bytes(colours)
    if layout.photometric == 0:
        shown = 255 - shown
    return _image(shown, alpha, premultiplied=extra == 1)


def _opacity(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype.kind == "f":
        return np.asarray(np.rint(np.nan_to_num(np.clip(values, 0, 1)) * 255), np.uint8)
    upper: NDArray[np.uint8] = (values >> (8 * values.dtype.itemsize - 8)).astype(np.uint8)
    return upper


def check_compression(page: Page) -> None:
    """Refuse a page whose compression libtiff does not know as it is built here.

    Raises:
        ImageError: the message names the compression.

    """
    number = page.number(tags.COMPRESSION, 1)
    if number not in _KNOWN:
        name = _OTHERS.get(number, "unknown")
        raise ImageError(f"this is a TIFF whose compression {number} ({name}) is not supported")


def _image(shown: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, *, premultiplied: bool) -> Image.Image:
    """Return channels (height, width, n) as a picture; inks under a transparent layer are on white paper."""
    size = shown.shape[1], shown.shape[0]
    if shown.shape[2] == 4:
        if alpha is not None and not premultiplied:
            shown = (shown.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8)
        return Image.frombytes("CMYK", size, shown.tobytes())
    mode = "L" if shown.shape[2] == 1 else "RGB"
    if alpha is None:
        return Image.frombytes(mode, size, shown.tobytes())
    with_alpha = np.concatenate([shown, alpha[..., None]], axis=2).tobytes()
    return Image.frombytes(mode + ("a" if premultiplied else "A"), size, with_alpha).convert(mode + "A")


def _check(page: Page, layout: _Layout) -> None:
    """Refuse what can be shown neither by Pillow nor here, in words that say what it is."""
    check_compression(page)
    bands = _COLOURS.get(layout.photometric, 99)
    readable = (
        layout.compression in _BYTES
        and layout.width > 0
        and layout.height > 0
        and bands <= layout.samples <= bands + 2
        and page.number(tags.FILL_ORDER, 1) == 1
        and (layout.kind, layout.bits) in {(1, 8), (1, 16), (1, 32), (3, 16), (3, 32), (3, 64)}
        and (layout.photometric != _LAB or layout.kind == 1)
    )
    if readable:
        return
    colour = _INTERPRETATIONS.get(layout.photometric, f"photometric interpretation {layout.photometric}")
    bits = " and ".join(str(number) for number in sorted(set(page.numbers(tags.BITS)))[:4]) or "1"
    kind = _FORMATS.get(layout.kind, "mixed or unknown numbers")
    raise ImageError(
        f"this is a TIFF of a kind that is not supported: {colour}, samples a pixel: {layout.samples}, bits each:"
        f" {bits}, {kind}"
    )


def _rows(page: Page, layout: _Layout, plane: int) -> NDArray[Any]:
    """Return the samples of one plane: (height, width, per)."""
    size = layout.bits // 8
    tile = page.number(tags.TILE_WIDTH, 0)
    span = tile or layout.width  # pixels over which differences run
    width = -(-layout.width // span) * span
    offsets, lengths = (tags.TILES, tags.TILE_BYTES) if tile else (tags.STRIPS, tags.STRIP_BYTES)
    wanted = {
        tags.WIDTH: [width * layout.per * size],
        tags.HEIGHT: [layout.height],
        tags.BITS: [8],
        tags.COMPRESSION: [layout.compression],
        tags.PHOTOMETRIC: [1],
        tags.SAMPLES: [1],
    }
    if tile:
        wanted |= {tags.TILE_WIDTH: [tile * layout.per * size], tags.TILE_HEIGHT: page.numbers(tags.TILE_HEIGHT)}
    else:
        wanted[tags.ROWS] = [min(page.number(tags.ROWS, layout.height), layout.height)]
    for tag in (offsets, lengths):
        numbers = page.numbers(tag)
        each = len(numbers) // layout.planes
        if numbers:
            wanted[tag] = numbers[plane * each : (plane + 1) * each]
    with TiffImagePlugin.TiffImageFile(io.BytesIO(page.rewritten(wanted))) as grey:
        grey.load()
        packed = np.asarray(grey).reshape(layout.height, -1, span * layout.per * size)
    values = _typed(packed, page, layout)
    return values.reshape(layout.height, width, layout.per)[:, : layout.width]


def _typed(packed: NDArray[np.uint8], page: Page, layout: _Layout) -> NDArray[Any]:
    """Return numbers of bytes, (height, spans, bytes of a span), and undo the differences of the predictor."""
    size, predictor = layout.bits // 8, page.number(tags.PREDICTOR, 1)
    letter = "f" if layout.kind == 3 else "u"
    compressed = layout.compression not in {1, 32773}
    if compressed and predictor == 3:  # floating point: bytes of equal weight together, differences of those
        summed = np.cumsum(packed.reshape(*packed.shape[:2], -1, layout.per), axis=2, dtype=np.uint8)
        weights = summed.reshape(*packed.shape[:2], size, -1)
        return np.ascontiguousarray(weights.swapaxes(2, 3)).view(f">{letter}{size}")
    if compressed and predictor == 2:
        numbers = np.ascontiguousarray(packed).view(f"{page.order}u{size}")
        pixels = numbers.reshape(*packed.shape[:2], -1, layout.per).astype(f"=u{size}")
        return np.cumsum(pixels, axis=2, dtype=pixels.dtype).view(f"={letter}{size}")
    return np.ascontiguousarray(packed).view(f"{page.order}{letter}{size}")
