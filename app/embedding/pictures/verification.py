"""A second opinion on near duplicates, from the pixels of the whole picture: a model may not see how two differ.

A network that looks at the middle of a picture, and at shapes more than at colours, takes for one what shares its
middle, and plain colours. So thumbnails of two pictures that a model takes for one are compared as grids of 16 x 16
mean colours in CIELAB:

- Where both are plain (one colour, a gradient), colour is all there is: the mean distance of the cells decides.
- Elsewhere it is the share of cells that clearly have another colour. A copy may be mirrored, cropped, framed, have a
  banner or another tone: views of the one, with edges cut off, are laid over views of the other, the medians are
  brought together, and the least share counts. Where one of the two is grey, lightness alone is compared.

The numbers below were chosen by the figures of `docs/adr/0009-a-second-opinion-on-near-duplicates.md`.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.models import registry
from app.embedding.models.base import Verify
from app.embedding.pictures.colour_space import lab

Same = Callable[[bytes, bytes], bool]
"""Says whether two thumbnails (WebP) may be of one picture."""

_CELLS = 16
# Distance in CIELAB beyond which a cell shows something else, the most that a change of tone is made up for, and the
# share of such cells beyond which two pictures are not the same (a logo on 3 % of a picture changes about 3 %).
_ELSE, _TONE, _SHARE = 15.0, 15.0, 0.05
# Mean distance of the cells beyond which two plain pictures are not the same: saving as JPEG of quality 30 moves it by
# 3.7 at most, and an eye sees 2.3.
_PLAIN_APART = 4.0
# Second difference between neighbouring cells of a finer grid, in CIELAB, that 98 % of the cells of a plain picture
# stay below: gradients have 7 at most, blurred photos 11 and more.
_FINE, _BENT, _BENT_SHARE = 32, 8.0, 98
# Mean chroma below which a picture is a grey one.
_GREY = 2.0

# What may be cut off: shares of each side (a crop), of the longer side (a frame of even width), of one side (a banner).
_CROPS, _FRAMES, _BANNER = (0.025, 0.05, 0.1), (0.02, 0.037), 0.1
_CUTS = 1 + len(_CROPS) + len(_FRAMES) + 4
# Which views are laid over each other: whole on whole, every cut of the one on the whole other, and the same side cut
# off from both (something was written over it).
_OVERLAYS = [
    (0, 0),
    *((cut, 0) for cut in range(1, _CUTS)),
    *((0, cut) for cut in range(1, _CUTS)),
    *((cut, cut) for cut in range(_CUTS - 4, _CUTS)),
]
_ONE, _OTHER = (np.array(places) for places in zip(*_OVERLAYS, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """The mean colours of a whole picture in CIELAB, (16, 16, 3), and what kind of picture it is."""

    grid: NDArray[np.float32]
    plain: bool
    grey: bool


def opinion(model: str) -> Same | None:
    """Return how near duplicates by a model are verified; None where the model alone decides.

    Args:
        model: the name that a collection has; models of the hub are verified in everything.

    """
    entry = registry.MODELS.get(model)
    verify = Verify.ALL if entry is None else entry.facts.verify
    return {Verify.ALL: may_be_the_same, Verify.PLAIN: may_be_the_same_if_plain, Verify.NONE: None}[verify]


def may_be_the_same(one: bytes, other: bytes) -> bool:
    """Return whether two thumbnails may be of one picture, by the whole picture."""
    first, second = _whole(one), _whole(other)
    if first.plain and second.plain:
        return _plain_distance(first, second) <= _PLAIN_APART
    return _share_of_others(one, other, in_grey=first.grey or second.grey) <= _SHARE


def may_be_the_same_if_plain(one: bytes, other: bytes) -> bool:
    """Return whether two thumbnails may be of one picture; True unless both are plain."""
    first, second = _whole(one), _whole(other)
    return not (first.plain and second.plain) or _plain_distance(first, second) <= _PLAIN_APART


def _plain_distance(one: _Whole, other: _Whole) -> float:
    return min(float(_lengths(one.grid - turned).mean()) for turned in (other.grid, other.grid[:, ::-1]))


def _share_of_others(one: bytes, other: bytes, *, in_grey: bool) -> float:
    """Return the least share of cells that show something else, of all ways to lay one picture over the other."""
    channels = 1 if in_grey else 3
    views, others = _views(one)[_ONE, ..., :channels], _views(other)[_OTHER, ..., :channels]
    least = 1.0
    for turned in (others, others[:, :, ::-1]):
        apart = turned - views
        apart = apart - np.median(apart, axis=(1, 2), keepdims=True).clip(-_TONE, _TONE)
        least = min(least, float((_lengths(apart) > _ELSE).mean(axis=(1, 2)).min()))
    return least


# A new record is compared with many, which is what the caches are for.
@lru_cache(maxsize=32)
def _whole(webp: bytes) -> _Whole:
    picture = opened(webp)
    grid, fine = _grid(picture, _CELLS), _grid(picture, _FINE)
    around = fine[:-2, 1:-1] + fine[2:, 1:-1] + fine[1:-1, :-2] + fine[1:-1, 2:]
    bent = _lengths(4 * fine[1:-1, 1:-1] - around)
    grey = float(np.hypot(grid[..., 1], grid[..., 2]).mean()) < _GREY
    return _Whole(grid, plain=float(np.percentile(bent, _BENT_SHARE)) < _BENT, grey=grey)


def is_plain(webp: bytes) -> bool:
    """Return whether a thumbnail shows one colour, or a gradient."""
    return _whole(webp).plain


@lru_cache(maxsize=32)
def _views(webp: bytes) -> NDArray[np.float32]:
    """Return (cuts, 16, 16, 3): the whole picture, and with each of the cuts made."""
    picture = opened(webp)
    width, height = picture.size
    frames = [min(share * max(width, height), 0.2 * min(width, height)) for share in _FRAMES]
    boxes = [
        (0.0, 0.0, width, height),
        *((share * width, share * height, (1 - share) * width, (1 - share) * height) for share in _CROPS),
        *((frame, frame, width - frame, height - frame) for frame in frames),
        (_BANNER * width, 0, width, height),
        (0, _BANNER * height, width, height),
        (0, 0, (1 - _BANNER) * width, height),
        (0, 0, width, (1 - _BANNER) * height),
    ]
    return np.stack([_grid(picture, _CELLS, box) for box in boxes])


def opened(webp: bytes) -> Image.Image:
    """Return the pixels of a thumbnail in RGB."""
    with Image.open(io.BytesIO(webp), formats=("WEBP",)) as opened:
        return opened.convert("RGB")


def _grid(
    picture: Image.Image, cells: int, box: tuple[float, float, float, float] | None = None
) -> NDArray[np.float32]:
    return lab(np.asarray(picture.resize((cells, cells), Image.Resampling.BOX, box=box)))


def _lengths(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", colours, colours)), np.float32)
