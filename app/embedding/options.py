"""What a deployment chooses for its models: where they run, in which numbers, and where their files come from."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.domain.errors import ConfigurationError

AUTO = "auto"
DTYPES = MappingProxyType({"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"})


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The choices, by default the safest ones.

    Attributes:
        device: `auto` (CUDA, else MPS, else the CPU), `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `auto` or one of `DTYPES`, of weights and computing. Vectors are float32 in any case.
        folder: where files of the Hugging Face hub are kept; None: its own cache (`HF_HUB_CACHE`).
        download: whether files that are not there may be fetched; `HF_HUB_OFFLINE=1` forbids it all the same.
        remote_code: whether program code that comes with a model may be run.

    """

    device: str = AUTO
    dtype: str = AUTO
    folder: Path | None = None
    download: bool = False
    remote_code: bool = False


DEFAULT = ModelOptions()


def device_of(torch: Any, wanted: str) -> Any:
    """Return the device (`torch.device`) to compute on.

    Raises:
        ConfigurationError: there is none of that name.

    """
    at_hand = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == AUTO:
        return torch.device(next(kind for kind, there in at_hand.items() if there))
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigurationError(
            f"there is no device {wanted!r}; there are auto, cpu, cuda, cuda:1 ..., mps"
        ) from error
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not at_hand.get(device.type, False) or (device.index or 0) >= count:
        raise ConfigurationError(f"the device {wanted!r} is not there, or torch is installed without it")
    return device


def dtype_of(torch: Any, wanted: str, auto: Any) -> Any:
    """Return the number type (`torch.dtype`) to compute in; `auto` is the model's own choice.

    Raises:
        ConfigurationError: there is none of that name.

    """
    if wanted == AUTO:
        return auto
    if wanted not in DTYPES:
        raise ConfigurationError(f"there is no number type {wanted!r} for models; there are auto, {', '.join(DTYPES)}")
    return getattr(torch, DTYPES[wanted])


def accelerators() -> tuple[str, ...]:
    """Return the devices beside the CPU that torch can compute on."""
    import torch  # noqa: PLC0415

    there = (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    return tuple(name for name, at_hand in there if at_hand)
