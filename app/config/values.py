"""Values of settings, from the text of environment variables."""

import json
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


FilePath = Annotated[Path, AfterValidator(_expanded)]
Port = Annotated[int, Field(ge=1, le=65535)]
