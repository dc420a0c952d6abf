"""What backups that were killed left in their folder is deleted, once nobody can be at it any more."""

import logging
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from app.db.embedded import EmbeddedDatabase
from app.domain.backups import is_name
from app.domain.errors import ConfigurationError

log = logging.getLogger(__name__)

SCRATCH = "verify-"
"""How the names of folders begin in which backups are restored to verify them."""
# A dump is written to until it is described; the rows of a large database are read beside it for hours.
_OLD_SECONDS = 24 * 3600.0
_DUMP = re.compile(r"(?P<name>\w+(?:-\d+)?)\.dump(?:\.part)?")
_DESCRIPTION = re.compile(r"\.(?P<name>\w+(?:-\d+)?)\.json\.\w+\.partial")


def forget(folder: Path) -> list[str]:
    """Delete dumps without a description, and scratch databases, that nobody touched for a day; return their names.

    Files with other names, links, and whatever a description names stay.
    """
    gone = []
    for path in sorted(folder.iterdir()):
        with suppress(FileNotFoundError):  # another process was quicker
            if path.lstat().st_mtime > time.time() - _OLD_SECONDS or path.is_symlink():
                continue
            if (path.is_file() and _is_half(path)) or (path.is_dir() and _is_scratch(path)):
                _delete(path)
                gone.append(path.name)
    if gone:
        log.info("deleted what interrupted backups left in %s: %s", folder, ", ".join(gone))
    return gone


def _is_half(path: Path) -> bool:
    found = _DUMP.fullmatch(path.name)
    if found is not None:
        whole = path.with_name(f"{found['name']}.json").exists() and not path.name.endswith(".part")
        return is_name(found["name"]) and not whole
    found = _DESCRIPTION.fullmatch(path.name)
    return found is not None and is_name(found["name"])


def _is_scratch(path: Path) -> bool:
    """Say whether it is a scratch database that no process uses; a server that was left running there is stopped."""
    if not path.name.startswith(SCRATCH):
        return False
    if not (path / "postgres" / "postmaster.pid").exists():
        return True
    try:
        left = EmbeddedDatabase(path, make=False)
        if left.runs():
            left.start()  # to be one of its users: the last of them stops it
            left.stop()
    except ConfigurationError as error:
        log.warning("the scratch database %s is left as it is: %s", path, error)
        return False
    return not left.runs()


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
