"""Values of settings, from the text of environment variables."""

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # nobody of that name has a home
        raise ValueError(str(error)) from error


def parts(value: Any) -> Any:
    """Return the parts of `80,443` or of `[80, 443]`; what is no text as it is."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def lower(value: Any) -> Any:
    """Return a text in lower case; what is no text as it is."""
    return value.lower() if isinstance(value, str) else value


_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?")


def _origin(value: str) -> str:
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} is no origin as a browser sends it: https://shop.example, in small letters")
    return value


def _network(value: str) -> str:
    return str(ip_network(value))  # raises ValueError


Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
FilePath = Annotated[Path, AfterValidator(_expanded)]
Port = Annotated[int, Field(ge=1, le=65535)]
