"""`lookalike db …` and `lookalike sql …`."""

import os
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from app.cli.cluster import distribute
from app.cli.common import database, json_option, opened, print_json
from app.cli.saying import IntRange, say
from app.config import Settings
from app.db import backup, schema, search_costs, sqltree, standbys
from app.db import reader as reader_table
from app.db import roles as role_table
from app.db.conninfo import reach, readable, without_password
from app.db.embedded import LOCAL, EmbeddedDatabase, bundled_program
from app.db.uninstall import uninstall as leave
from app.domain.errors import ConfigurationError


@click.group()
def db() -> None:
    """Upgrade, check and open the database."""


@db.command()
@click.option("--sql", "as_sql", is_flag=True, help="Print what would be run, for review or for psql; run nothing.")
@click.option("--force", is_flag=True, help="Put this program's functions in place of those of a newer one, too.")
def upgrade(*, as_sql: bool, force: bool) -> None:
    """Run the migrations that are missing, then apply the files of sql/ that changed.

    With --sql and no database named, the script is that of a whole install. --force is for going back to an older
    program on a schema whose revision it knows: its functions take the place of the newer ones.
    """
    settings = Settings()
    if as_sql:
        since = None
        if settings.admin_database_url or settings.database_url:
            with database(settings) as url:
                since = schema.current_revision(url)
        click.echo(schema.script(since), nl=False)
        return
    with database(settings) as url:
        applied = schema.upgrade(url, force=force)
        say(f"schema at revision {schema.head()}; {len(applied)} files of sql/ applied")


@db.command()
@click.option("--apply", "run", is_flag=True, help="Run it, which needs the right to create roles.")
def roles(*, run: bool) -> None:
    """Print the SQL that makes the roles lookalike_app and lookalike_reader, for an administrator."""
    if not run:
        click.echo(role_table.text(), nl=False)
        return
    with database(Settings()) as url:
        role_table.apply(url)
    say("the roles lookalike_app and lookalike_reader exist, with their rights in this database")


@db.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(*, yes: bool) -> None:
    """Drop the schema lookalike with all collections, and the extension vector if it came with it."""
    with database(Settings(), make=False) as url:
        if not yes:
            click.confirm("Drop the schema lookalike with all collections? There is no way back", abort=True)
        for line in leave(url):
            say(line)
        for role in role_table.existing(url):
            say(f"the role {role} belongs to the whole cluster; where no other database needs it: DROP ROLE {role};")


@db.command()
def check() -> None:
    """Report what keeps this database from being served, and how to mend it; exit with 1 if there is anything."""
    settings = Settings()
    with database(settings, make=False) as url:
        problems = schema.problems(url, writes=not settings.read_only)
        if not problems and settings.database_url and settings.admin_database_url:
            problems = role_table.problems(reach(settings.database_url))
        told: list[str] = []
        if not problems and settings.read_database_url:
            read = readable(settings.read_database_url, "LOOKALIKE_READ_DATABASE_URL", writes=False)
            problems, told = standbys.of_replicas(url, read)
        for problem in problems:
            say(problem, err=True)
        if problems:
            sys.exit(1)
        for line in (*schema.standing(url).splitlines(), *told):
            say(line)
    say("the database is ready to be served")


db.add_command(distribute)


@db.command()
@click.option("--dimensions", type=IntRange(1, 4000), multiple=True, help="Dimensions to measure; none: those in use.")
@json_option
def calibrate(dimensions: tuple[int, ...], *, as_json: bool) -> None:
    """Measure what the steps of a search cost on this database, so that filtered searches choose well.

    Takes some seconds for each number of dimensions, on a temporary table. Servers use the figures within seconds.
    """
    with opened() as context:
        chosen = sorted(set(dimensions)) or search_costs.dimensions_in_use(context.db)
        measured = [search_costs.measure(context.db, one) for one in chosen]
    if as_json:
        print_json([asdict(one) for one in measured])
        return
    for one in measured:
        costs = one.costs
        say(
            f"{one.dimensions} dimensions: a distance {costs.distance_us:.2f} us,"
            f" a match {costs.match_us:.2f} us, a candidate {costs.candidate_us:.2f} us"
        )


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments are psql's own."""
    settings = Settings()
    with database(settings) as url:
        program = shutil.which("psql") if settings.database_url else bundled_program("psql")
        if program is None:
            raise click.ClickException("psql is not installed; the URL for any other client: lookalike db url")
        words, password = without_password(url)
        environment = os.environ if password is None else {**os.environ, "PGPASSWORD": password}
        signal.signal(signal.SIGINT, lambda *_: None)  # a Ctrl-C is meant for psql's statement, not for its server
        sys.exit(os.spawnve(os.P_WAIT, program, [program, words, *arguments], environment))  # noqa: S606  (no shell; the user's own arguments)


@db.command()
@click.option("--name", default="lookalike_bi", show_default=True, help="Name of the login.")
def reader(name: str) -> None:
    """Make a login that may only read, for dashboards and notebooks, and print its URL, once.

    Run again, it gives the login a new password. The embedded database takes it on the port LOOKALIKE_EMBEDDED_PORT.
    """
    settings = Settings()
    named = settings.admin_database_url or settings.database_url
    if not named and settings.embedded_port is None:
        raise ConfigurationError(
            "the embedded database listens on a Unix socket only, where there are no passwords: set"
            " LOOKALIKE_EMBEDDED_PORT, for the server too"
        )
    with database(settings) as found:
        schema.require(found)
        password = reader_table.make(found, name)
    place = None if named else (LOCAL, settings.embedded_port or 0)
    say(reader_table.url_of(found, name, password, place))


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def dump(file: Path) -> None:
    """Write all collections, records, pictures and tokens to FILE, as of one moment, while servers run.

    The format is pg_dump's custom one. `lookalike db restore` reads it, into any database, also one of another server.
    """
    with database(Settings(), make=False) as url:
        backup.dump(url, file)
    say(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Drop the collections and tokens that are there.")
def restore(file: Path, *, replace: bool) -> None:
    """Put back what `lookalike db dump` wrote to FILE, whole or not at all; indexes are built again."""
    with database(Settings()) as url:
        backup.restore(url, file, replace=replace)
    say(f"{file} is restored")


@db.command()
def url() -> None:
    """Print the database's URL, for psql and others.

    The embedded database runs only while a server or command uses it: so does the URL. `lookalike db psql` starts it.
    """
    settings = Settings()
    if settings.admin_database_url or settings.database_url:
        with database(settings) as found:
            say(found)
        return
    embedded = EmbeddedDatabase(settings.home, make=False, port=settings.embedded_port)
    say(embedded.url)
    if not embedded.runs():
        say(
            "lookalike: the embedded database is not running, so this URL leads nowhere until `lookalike serve` runs;"
            " `lookalike db psql` starts it by itself",
            err=True,
        )


@click.group()
def sql() -> None:
    """Apply, print and regenerate the SQL files: functions, views, queries."""


@sql.command()
def apply() -> None:
    """Apply the files of sql/ whose text has changed."""
    with database(Settings()) as found:
        for name in schema.apply_sql(found):
            say(name)


@sql.command("print")
def print_() -> None:
    """Print every function and view, in order, ready for psql; needs no database."""
    for file in schema.sql_files():
        click.echo(f"-- {file.name}\n{file.text}")


@sql.command()
def sync() -> None:
    """Write sql/schema.sql and sql/snapshots/ anew; any error is a failure."""
    with database(Settings()) as found:
        schema.upgrade(found)
        for path in sqltree.sync(found):
            say(str(path))
