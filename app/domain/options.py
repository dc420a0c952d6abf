"""Choices of a deployment that several layers share: for models, for pictures, for downloads.

`Settings` gives them (`settings.models`, `.images`, `.fetch`); nothing else copies a setting into one of them.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

AUTO = "auto"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host and a port; raises OSError where there are none."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options of models: their device, number type and files; the defaults are the safest choices.

    Attributes:
        device: `auto` (CUDA, else MPS, else the CPU), `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `auto` (`fp32`), `fp32`, `bf16` or `fp16`, of weights and computing. Vectors are float32 in any case.
        folder: where files of the Hugging Face hub are kept; None: its own cache (`HF_HUB_CACHE`).
        download: whether files that are not there may be fetched; `HF_HUB_OFFLINE=1` forbids it all the same.
        remote_code: whether program code that comes with a model may be run.

    """

    device: str = AUTO
    dtype: str = AUTO
    folder: Path | None = None
    download: bool = False
    remote_code: bool = False


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of a picture: bytes as sent, pixels (width x height) of its first frame.

    Decoding takes 4 to 16 bytes of memory a pixel, by mode. Pillow itself refuses more than 178 million pixels.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Patience:
    """Hosts that are busy are asked again, and none faster than it bears.

    `retries` further tries where one failed and another may help; before the first about `backoff_seconds`, before each
    further one twice as long, `longest_seconds` at most, also where the host asks for more. `per_second` requests go to
    one host; 0: any number.
    """

    retries: int = 4
    backoff_seconds: float = 1.0
    longest_seconds: float = 60.0
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Limits of downloads: from where, how long, and how large.

    `allow_private` opens all addresses, `allowed_networks` only some that are not public. `ca_file` (PEM) adds
    authorities to the system's. `resolver` gives a host's addresses (None: the system's does); it may block, and is
    held to the time limit. `per_host` downloads from one host and port run at the same time at most. `patience` is for
    imports, which can wait.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    ports: frozenset[int] = frozenset({80, 443})
    allow_private: bool = False
    allowed_networks: tuple[Network, ...] = ()
    connect_timeout_seconds: float = 5.0
    total_timeout_seconds: float = 20.0
    max_bytes: int = 20 * 2**20
    max_redirects: int = 3
    per_host: int = 8
    user_agent: str = "Lookalike"
    ca_file: str | None = None
    resolver: Resolver | None = None
    patience: Patience = Patience()
