"""`phash`: is it the same picture? 256 bits of its coarse pattern of light and dark.

The picture in grey is squeezed to 64 x 64, and each of the 16 x 16 lowest frequencies (DCT-II) is a bit: above the
median or not (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). The bits are those
of the package `imagehash` (`phash` of size 16).

At a radius of 46 bits, the distance 5.0, most small rotations and logos are in, and nearly nothing that is not a copy
(docs/adr/0012-figures-behind-the-constants.md). A picture that was mirrored, cropped or framed is not found by it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.models.base import Embedder, ModelFacts, Prepared, Verify
from app.embedding.models.bits import BITS, as_vectors, scale_of

RADIUS = 46  # bits
_SIDE = 16  # bits a side
_PIXELS = 64  # a side
_HALF = _PIXELS // 2
FACTS = ModelFacts(
    name="phash",
    revision="imagehash-phash-16",
    dimensions=BITS,
    distance_scale=scale_of(RADIUS),
    licence="Apache-2.0",
    verify=Verify.PLAIN,
)


class PHash(Embedder):
    """The hash; there is nothing to load."""

    facts = FACTS

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return the hash: (256,) uint8 of 0 and 1."""
        grey = picture.convert("L").resize((_PIXELS, _PIXELS), Image.Resampling.LANCZOS)
        frequencies = dct(dct(np.asarray(grey, np.float64).T).T)[:_SIDE, :_SIDE]
        return np.asarray(frequencies > np.median(frequencies), np.uint8).ravel()

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        return as_vectors(prepared)


def dct(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the DCT-II of each of (n, 64) rows, not normalised: 2 * sum(x[i] * cos(pi * k * (2 * i + 1) / 128)).

    It is computed step by step as `scipy.fftpack.dct` computes it, by a real Fourier transform, whose code NumPy has of
    the same source (Martin Reinecke's pocketfft). A product with a matrix of cosines would be simpler; but where two
    frequencies are equal, as many are of plain colours, gradients and patterns, other rounding gives other bits.
    """
    even, odd = rows[:, 2::2], rows[:, 1:-1:2]
    halves = np.zeros((len(rows), _HALF + 1), np.complex128)
    halves.real[:, 0], halves.real[:, -1] = 2 * rows[:, 0], 2 * rows[:, -1]
    halves.real[:, 1:-1], halves.imag[:, 1:-1] = odd + even, even - odd
    waves = np.fft.irfft(halves, _PIXELS, norm="forward")
    low, high = waves[:, 1:_HALF], waves[:, :_HALF:-1]
    cosine, sine = _COSINES[1:_HALF], _COSINES[:_HALF:-1]
    one, other = cosine * high + sine * low, cosine * low - sine * high
    waves[:, 1:_HALF], waves[:, :_HALF:-1] = 0.5 * (one + other), 0.5 * (one - other)
    waves[:, _HALF] *= _COSINES[_HALF]
    return waves


def _cosines() -> NDArray[np.float64]:
    """Return cos(pi * k / 128) for k = 0 ... 63, each as pocketfft makes it of two: of 16 coarse and 16 fine steps."""
    step = 2 * np.pi / (4 * _PIXELS)
    cosine, sine = np.cos(16 * step), np.sin(16 * step)
    # From an eighth of a turn on it takes sine and cosine of what is left to a quarter.
    coarse = np.array([[1.0, 0.0], [cosine, sine], [np.sin(32 * step), np.cos(32 * step)], [sine, cosine]])
    fine = step * np.arange(16)
    return np.ravel(coarse[:, :1] * np.cos(fine) - coarse[:, 1:] * np.sin(fine))


_COSINES = _cosines()
