"""Packages that an installation may lack: torch and transformers are the extra `huggingface`."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from app.domain.errors import ConfigurationError

_HUGGINGFACE = ("torch", "transformers")


def installed(*packages: str) -> bool:
    """Say whether packages are installed, by the names that they are imported by; none is imported for it."""
    try:
        return all(find_spec(name) is not None for name in packages)
    except (ImportError, ValueError):  # some loader forbids it
        return False


def require_huggingface(what: str) -> None:
    """Check that torch and transformers are installed; `what` begins a sentence that goes on with "needs".

    Raises:
        ConfigurationError: they are not.

    """
    if not installed(*_HUGGINGFACE):
        raise ConfigurationError(
            f"{what} needs torch and transformers, which are not installed: pip install 'lookalike[huggingface]'"
        )


def may_have_accelerators() -> bool:
    """Say whether torch may find a device beside the CPU, without importing it: its builds for CPUs alone have none."""
    if not installed("torch"):
        return False
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:  # on the path without having been installed
        return True
