"""`pdq`: is it the same picture? Meta's hash of 256 bits, by the package `pdqhash`, which needs a C++ compiler.

Meta, "PDQ and TMK + PDQF" (ThreatExchange, hashing/hashing.pdf): brightness, smoothed and thinned to 64 x 64, the
16 x 16 lowest frequencies but the constant one, each above the median or not. As in Meta's own programs, a picture is
scaled to 512 x 512 at first.

Figures beside those of `phash` are there. Meta's own threshold, 31 bits, for collections of billions, reads 3.4.
"""

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import ConfigurationError
from app.embedding.models.base import Embedder, ModelFacts, Prepared, Verify
from app.embedding.models.bits import BITS, as_vectors, scale_of

RADIUS = 46  # bits
_SIDE = 512
FACTS = ModelFacts(
    name="pdq",
    revision="pdqhash-512",
    dimensions=BITS,
    distance_scale=scale_of(RADIUS),
    licence="BSD-3-Clause",
    verify=Verify.PLAIN,
)


class PDQ(Embedder):
    """The hash, loaded.

    Raises:
        ConfigurationError: the package is not installed.

    """

    facts = FACTS

    def __init__(self) -> None:
        try:
            pdqhash = import_module("pdqhash")  # an extra
        except ImportError as error:
            raise ConfigurationError(
                "the model pdq needs the package pdqhash: pip install pdqhash (with a C++ compiler at hand)"
            ) from error
        self._hash = pdqhash.compute

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return the hash: (256,) uint8 of 0 and 1."""
        resized = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        bits, _quality = self._hash(np.asarray(resized, np.uint8))
        return np.asarray(bits, np.uint8)

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        return as_vectors(prepared)
