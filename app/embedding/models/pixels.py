"""`pixels`: a picture scaled down to 8 x 8, as a vector. No network, a microsecond a picture; for tests and trials."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.models.base import Embedder, ModelFacts, Prepared, Verify

_SIDE = 8
FACTS = ModelFacts(
    name="pixels",
    revision="1",
    dimensions=3 * _SIDE * _SIDE + 1,
    distance_scale=100.0,
    licence="Apache-2.0",
    verify=Verify.PLAIN,
)


class Pixels(Embedder):
    """Average colours of an 8 x 8 grid, centred, and a constant that keeps a grey picture's vector from zero."""

    facts = FACTS

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return (8, 8, 3) uint8."""
        return np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.uint8)

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        flat = np.stack(prepared).reshape(len(prepared), -1).astype(np.float32) / 127.5 - 1.0
        return np.hstack([flat, np.ones((len(prepared), 1), np.float32)])
