"""EfficientNet-Lite0 on torch, for a GPU or half precision; everywhere else `efficientnet_lite0` runs it without torch.

Imports torch: to be imported only where the model is loaded. The convolutions compute in the number type that is asked
for, pooling and projection in float32 throughout.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from app.domain.options import ModelOptions
from app.embedding.models import lite_network
from app.embedding.models.base import ModelFacts, Prepared
from app.embedding.models.device_batches import SIZES, in_rounds
from app.embedding.models.efficientnet_lite0 import FACTS, Lite0
from app.embedding.models.options import device_of, dtype_of

_GEM_P = 3.0


class Lite0OnTorch(Lite0):
    """The model, loaded: about 20 MB of weights.

    Args:
        options: device and number type; `auto` is float32.
        threads: CPU threads of a forward pass.
        facts: as of `Lite0`.

    Raises:
        ConfigurationError: there is no such device or number type.

    """

    def __init__(self, options: ModelOptions, threads: int = 1, facts: ModelFacts = FACTS) -> None:
        super().__init__(facts)
        self._threads = threads
        self._device = device_of(torch, options.device)
        self._dtype = dtype_of(torch, options.dtype, torch.float32)
        self.batch = SIZES[self._device.type]
        self.runs_on = f"{self._device}, {str(self._dtype).removeprefix('torch.')}"
        torch.set_num_threads(threads)
        self._network = lite_network.load(self._dtype, self._device)
        with np.load(str(files("app.embedding.models") / "efficientnet_lite0_gem_pca256.npz")) as stored:
            self._mean = torch.from_numpy(stored["mean"].astype(np.float32)).to(self._device)
            self._components = torch.from_numpy(stored["components"].astype(np.float32)).to(self._device)

    def _rows(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        torch.set_num_threads(self._threads)  # counts for the thread that calls it, not only for the loader's
        return np.concatenate([one.numpy() for one in in_rounds(torch, self._device, squares, self._forward)])

    def _forward(self, batch: Sequence[Prepared]) -> Any:
        # Channels last, as the network is; sent to a GPU as bytes.
        pixels = torch.from_numpy(np.stack(batch)).to(self._device).permute(0, 3, 1, 2)
        pixels = pixels.to(self._dtype).sub_(127.0).div_(128.0)  # exact in bfloat16, too: 8 bits, a power of two
        maps = self._network(pixels).float()
        pooled = maps.clamp(min=1e-6).pow(_GEM_P).mean(dim=(2, 3)).pow(1.0 / _GEM_P)
        features = pooled / pooled.norm(dim=1, keepdim=True)
        # Not NumPy's product: its BLAS has threads of its own, which wait for one another on busy cores.
        return ((features - self._mean) @ self._components).cpu()
