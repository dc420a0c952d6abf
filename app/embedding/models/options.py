"""The choices for models (`ModelOptions`) are turned into devices and number types of torch."""

from types import MappingProxyType
from typing import Any

from app.domain.errors import ConfigurationError
from app.domain.options import AUTO, ModelOptions
from app.embedding.models.extras import may_have_accelerators, require_huggingface

_HALF = ("bf16", "fp16")
DTYPES = MappingProxyType({"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"})


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
        raise ConfigurationError(
            f"LOOKALIKE_MODEL_DEVICE is {wanted!r}, which is not there, or torch is installed without it; here are"
            f" auto, {', '.join(('cpu', *accelerators()))}"
        )
    return device


def check_options(options: ModelOptions) -> None:
    """Check that models can compute where and in what they are to; torch is imported only to ask it for a GPU.

    Raises:
        ConfigurationError: there is no such device, or torch, which it takes, is not installed.

    """
    if options.dtype in _HALF:
        require_huggingface(f"LOOKALIKE_MODEL_DTYPE={options.dtype}")
    if options.device not in (AUTO, "cpu"):
        require_huggingface(f"LOOKALIKE_MODEL_DEVICE={options.device}")
        import torch  # noqa: PLC0415

        device_of(torch, options.device)


def wants_torch(options: ModelOptions) -> bool:
    """Say whether a model that needs no torch on a CPU in float32 is asked for on another device, or in half precision.

    Raises:
        ConfigurationError: it is, and torch is not installed.

    """
    if options.device == AUTO and options.dtype not in _HALF:
        return bool(accelerators())
    check_options(options)
    return options.dtype in _HALF or options.device != "cpu"


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
    """Return the devices beside the CPU that torch can compute on; none where it is not installed."""
    if not may_have_accelerators():
        return ()
    import torch  # noqa: PLC0415

    there = (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    return tuple(name for name, at_hand in there if at_hand)
