"""Backups of the database: taken while servers run, listed, verified by restoring them, put back, kept so many.

A backup is two files in one folder: `NAME.dump`, which pg_dump wrote, and `NAME.json`, which says what it must hold:
the rows of every table, a digest of each collection's records, and the nearest neighbours of some of them. Both are of
one snapshot. The description is written last, so that a dump without one is none.
"""

import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from app.config import Settings
from app.db import backup as dumps
from app.db import backups as table
from app.db import roles
from app.db.embedded import EmbeddedDatabase
from app.db.engine import connect
from app.db.errors import translated
from app.domain.backups import Backup, differences, is_name, name_of
from app.domain.errors import ConfigurationError, InvalidRequest, MissingRights
from app.services import backup_leftovers
from app.services.exporting.files import appearing
from app.version import __version__

_READ = 2**20
_BACKUP = TypeAdapter(Backup)
_Step = Callable[[str], None]


def folder_of(settings: Settings) -> Path:
    """Return the folder of backups."""
    return (settings.backup_folder or settings.home / "backups").expanduser()


@dataclass(frozen=True, slots=True)
class Backups:
    """The backups in one folder."""

    folder: Path

    @property
    def place(self) -> str:
        """The host and the folder, by which the database tells backups of several machines apart."""
        return f"{socket.gethostname()}:{self.folder.absolute()}"

    def dump_of(self, backup: Backup) -> Path:
        """Return the file that pg_dump wrote."""
        return self.folder / f"{backup.name}.dump"

    def listed(self) -> list[Backup]:
        """Return all backups, the latest first."""
        names = sorted((path.stem for path in self.folder.glob("*.json") if is_name(path.stem)), reverse=True)
        return [self.get(name) for name in names]

    def get(self, name: str) -> Backup:
        """Return a backup by its name, or the latest by `latest`.

        Raises:
            InvalidRequest: there is none, or its description cannot be read.

        """
        if name == "latest":
            found = self.listed()
            if not found:
                raise InvalidRequest(f"there is no backup in {self.folder}: lookalike backup create takes one")
            return found[0]
        path = self.folder / f"{name}.json"
        if not is_name(name) or not path.is_file():
            raise InvalidRequest(f"there is no backup {name!r} in {self.folder}; lookalike backup list names them")
        try:
            return _BACKUP.validate_json(path.read_bytes())
        except ValidationError as error:
            raise InvalidRequest(f"{path} describes no backup: {error.errors()[0]['msg']}") from error

    def create(self, url: str, keep: int, step: _Step = lambda _: None) -> Backup:
        """Take a backup, while servers go on; then delete the oldest beyond `keep`, but never the last verified one.

        Args:
            url: the database, as the schema's owner, straight to the server.
            keep: how many there are afterwards at most; 0: all.
            step: is called with what is done next.

        Raises:
            ConfigurationError: the folder cannot be written, or pg_dump fails; nothing is left of the backup then.
            InvalidRequest: records lie on the workers of Citus.
            Unavailable: the database is away.

        """
        self._prepare()
        with translated(), connect(url) as connection:
            table.refuse_distributed(connection)
        step("dumping")
        started, begun = time.monotonic(), self._moment()
        file = self.folder / f"{name_of(begun)}.dump"
        try:
            with table.moment(url) as (connection, snapshot), ThreadPoolExecutor(1) as beside:
                dumping = beside.submit(dumps.dump, url, file, snapshot)
                versions, facts = table.versions(connection), table.facts(connection)
                dumping.result()
            step("checking")
            made = Backup(
                name=name_of(begun),
                begun_at=begun,
                seconds=round(time.monotonic() - started, 3),
                program=__version__,
                bytes=file.stat().st_size,
                sha256=_digest(file),
                facts=facts,
                **versions,
            )
            self._describe(made)
        except BaseException:
            file.unlink(missing_ok=True)  # without a description it is no backup
            raise
        with translated(), connect(url) as connection:
            table.note(connection, made, self.place)
            table.forget(connection, self._prune(keep, made), self.place)
        return made

    def check(self, backup: Backup) -> None:
        """Check that the dump is what was written, by its size and SHA-256.

        Raises:
            InvalidRequest: it is not.

        """
        file = self.dump_of(backup)
        if not file.is_file():
            raise InvalidRequest(f"{file} is missing")
        if file.stat().st_size != backup.bytes or _digest(file) != backup.sha256:
            raise InvalidRequest(f"{file} is not what was written: its size or SHA-256 differs; use another backup")

    def verify(self, backup: Backup, into: str | None = None, step: _Step = lambda _: None) -> Backup:
        """Restore a backup into a scratch database and compare what it holds; return it with what was found.

        HNSW indexes are not built: neighbours are found by comparing all.

        Args:
            backup: which.
            into: the URL of an empty database; None: an embedded server, which is made for it and removed.
            step: is called with what is done next.

        Raises:
            InvalidRequest: the dump is damaged, or the database is not empty.
            ConfigurationError: PostgreSQL's programs fail, or there is no embedded server.

        """
        step("checking")
        self.check(backup)
        with _scratch(self.folder, into) as url:
            step("restoring")
            dumps.restore(url, self.dump_of(backup), replace=False, graphs=False)
            step("comparing")
            with table.moment(url) as (connection, _):
                found = table.facts(connection, like=backup.facts)
        verified = replace(
            backup, verified_at=datetime.now(UTC).replace(microsecond=0), differences=differences(backup.facts, found)
        )
        self._describe(verified)
        return verified

    def note_verified(self, url: str, backup: Backup) -> None:
        """Note in the database that it was verified, for those who watch it.

        Raises:
            Unavailable: the database is away.

        """
        with translated(), connect(url) as connection:
            table.note_verified(connection, backup, self.place)

    def restore(self, backup: Backup, url: str, *, replace_all: bool, step: _Step = lambda _: None) -> list[str]:
        """Put a backup back, whole or not at all; return what the administrator has to do yet, a sentence each.

        Raises:
            InvalidRequest: the dump is damaged, or the database holds collections, which are not to be replaced.
            ConfigurationError: PostgreSQL's programs fail, or the restored database differs; the sentence says how.

        """
        step("checking")
        self.check(backup)
        step("restoring")
        dumps.restore(url, self.dump_of(backup), replace=replace_all)
        step("comparing")
        with table.moment(url) as (connection, _):
            found = differences(backup.facts, table.facts(connection, like=backup.facts))
        if found:
            raise ConfigurationError(f"it is restored, and differs from what was backed up: {'; '.join(found)}")
        return _roles_to_do(backup, url)

    def delete(self, backup: Backup) -> None:
        """Delete a backup: first its description, so that no half of one is left."""
        (self.folder / f"{backup.name}.json").unlink()
        self.dump_of(backup).unlink(missing_ok=True)

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"LOOKALIKE_BACKUP_FOLDER, {self.folder}, cannot be made: {error}") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ConfigurationError(f"LOOKALIKE_BACKUP_FOLDER, {self.folder}, cannot be written to by this user")
        backup_leftovers.forget(self.folder)

    def _moment(self) -> datetime:
        """Return the moment after which a backup may be called: not that of another, of a second."""
        while True:
            now = datetime.now(UTC).replace(microsecond=0)
            if not list(self.folder.glob(f"{name_of(now)}.*")):
                return now
            time.sleep(0.1)

    def _describe(self, backup: Backup) -> None:
        text = orjson.dumps(backup, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        path = self.folder / f"{backup.name}.json"
        with appearing(path) as file:
            file.write(text)
        path.chmod(0o600)  # it has ids

    def _prune(self, keep: int, made: Backup) -> list[str]:
        """Delete what is beyond those to be kept; return the names."""
        if keep == 0:
            return []
        others = [one for one in self.listed() if one.name != made.name]
        last = next((one.name for one in others if one.verified_at is not None and not one.differences), None)
        old = [one for one in others[keep - 1 :] if one.name != last]
        for one in old:
            self.delete(one)
        return [one.name for one in old]


@contextmanager
def _scratch(folder: Path, into: str | None) -> Iterator[str]:
    """Lend an empty database: one that is given, or that of an embedded server beside the backups."""
    if into is not None:
        yield into
        return
    with tempfile.TemporaryDirectory(prefix=backup_leftovers.SCRATCH, dir=folder) as home:
        embedded = EmbeddedDatabase(Path(home))
        try:
            yield embedded.start()
        finally:
            embedded.stop()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _roles_to_do(backup: Backup, url: str) -> list[str]:
    """Make the roles that the backup had; return what is left for an administrator."""
    left = []
    missing = [role for role in backup.roles if role not in roles.existing(url)]
    if missing:
        try:
            roles.apply(url)
        except MissingRights as error:
            left.append(str(error))
    if backup.members:
        left.append(f"make the logins, with passwords, that were members of roles: {'; '.join(backup.members)}")
    return left
