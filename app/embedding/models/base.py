"""The protocol that every model follows."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Prepared = NDArray[Any]


class Verify(Enum):
    """Near duplicates by a model are compared by their pixels, too, before a picture is refused for one."""

    ALL = "all"
    """It may crop pictures, and looks at shapes more than at colours."""
    PLAIN = "plain"
    """It sees the whole picture, but nothing in plain colours and gradients."""
    NONE = "none"
    """It sees the colours of the whole picture."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's facts are known without loading it.

    `distance_scale` makes the API's distance of a cosine distance: `scale * (1 - cosine similarity)`; it is chosen so
    that 5.0 is the radius of near duplicates. `verify`: what escapes it.
    """

    name: str
    revision: str
    dimensions: int
    distance_scale: float
    licence: str
    verify: Verify = Verify.ALL


class Embedder(ABC):
    """A loaded model. `prepare` may run in any thread; `embed` is called by one thread at a time.

    A new model has `facts`, and writes `prepare` and `_embed`. Of the others it has what differs: `batch`, the number
    of pictures that are worth a forward pass together; `runs_on`, device and number type in words; `pooling`, how one
    vector is made of what its network gives.
    """

    facts: ModelFacts
    batch: int = 8  # on few cores larger batches cost more a picture
    runs_on: str = "cpu"
    pooling: str = "none"

    @abstractmethod
    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what `embed` takes of an RGB picture: resized, cropped, normalised."""

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length, finite, in the order given.

        Raises:
            Unavailable: the GPU has no memory for even one picture.
            ValueError: the model gave no direction for a picture.

        """
        if not prepared:
            return np.empty((0, self.facts.dimensions), np.float32)
        return normalised(self._embed(prepared))

    @abstractmethod
    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[Any]:
        """Return (n, dimensions) rows of any length, in the order given, of one picture at least."""


@dataclass(frozen=True, slots=True)
class TextScoring:
    """A text-image model makes probabilities of cosine similarities: of `scale * cosine + bias`.

    `sigmoid`: of each text by itself (SigLIP); else a softmax over texts that exclude one another (CLIP).
    """

    scale: float
    bias: float = 0.0
    sigmoid: bool = False


@runtime_checkable
class TextEmbedder(Protocol):
    """A model that may know texts as well as pictures adds these. `check_text` may run in any thread."""

    text_scoring: TextScoring | None

    @property
    def knows_text(self) -> bool:
        """True if `embed_text` has an answer."""
        ...

    def check_text(self, text: str) -> None:
        """Refuse a text that the model would not read to its end.

        Raises:
            InvalidRequest: it is longer than the model reads.

        """
        ...

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length, in the space of the pictures."""
        ...


def normalised(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows of unit L2 norm as float32.

    Raises:
        ValueError: a row is not finite or has no length, so that it has no direction.

    """
    wide = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("the model gave a vector without a direction (NaN, infinite or all zeros)")
    return np.asarray(wide / lengths, np.float32)
