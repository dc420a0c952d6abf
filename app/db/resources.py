"""The SQL and the migrations lie beside the package in a checkout, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """Return the folder `sql` or `migrations`.

    Raises:
        FileNotFoundError: neither a checkout nor a complete wheel.

    """
    # The wheel's own first: beside an installed package lie those of others, some of which are called `sql`, too.
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"the folder {name} of the project is missing: the installation is incomplete")
