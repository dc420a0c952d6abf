"""The SQL and the migrations lie beside the package in a checkout, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """Return the folder `sql` or `migrations`.

    Raises:
        FileNotFoundError: neither a checkout nor a complete wheel.

    """
    for root in (_PACKAGE.parent, _PACKAGE / "_data"):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"the folder {name} of the project is missing: the installation is incomplete")
