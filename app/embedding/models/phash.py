"""`phash`: is it the same picture? 256 bits of its coarse pattern of light and dark, by the package `imagehash`.

The picture in grey is squeezed to 64 x 64, and each of the 16 x 16 lowest frequencies (DCT-II) is a bit: above the
median or not (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010).

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
FACTS = ModelFacts(
    name="phash",
    revision="imagehash-phash-16",
    dimensions=BITS,
    distance_scale=scale_of(RADIUS),
    licence="BSD-2-Clause",
    verify=Verify.PLAIN,
)


class PHash(Embedder):
    """The hash; nothing to load but SciPy, at once, so that the first picture does not wait for it."""

    facts = FACTS

    def __init__(self) -> None:
        import imagehash  # noqa: PLC0415  (SciPy behind it: only where the model is used)

        self._hash = imagehash.phash
        self.prepare(Image.new("RGB", (8, 8)))

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return the hash: (256,) uint8 of 0 and 1."""
        return np.asarray(self._hash(picture, hash_size=_SIDE).hash, np.uint8).ravel()

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        return as_vectors(prepared)
