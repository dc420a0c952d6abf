"""`lookalike db …` and `lookalike sql …`."""

import os
import shutil
import sys

import click

from app.cli.common import database
from app.config import Settings
from app.db import schema, sqltree
from app.db.embedded import EmbeddedDatabase


@click.group()
def db() -> None:
    """Upgrade, check and open the database."""


@db.command()
def upgrade() -> None:
    """Run the migrations that are missing, then apply the files of sql/ that changed."""
    with database(Settings()) as url:
        applied = schema.upgrade(url)
        click.echo(f"schema at revision {schema.head()}; {len(applied)} files of sql/ applied")


@db.command()
def check() -> None:
    """Say what keeps this database from being served; exit status 1 where there is anything."""
    with database(Settings()) as url:
        problems = schema.problems(url)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)
    click.echo("the database is ready to be served")


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments are psql's own."""
    settings = Settings()
    with database(settings) as url:
        own = EmbeddedDatabase(settings.home).binaries / "psql" if settings.database_url is None else None
        program = str(own) if own else shutil.which("psql")
        if program is None:
            raise click.ClickException("psql is not installed; the URL for any other client: lookalike db url")
        sys.exit(os.spawnv(os.P_WAIT, program, [program, url, *arguments]))  # noqa: S606  (no shell; the user's own arguments)


@db.command()
def url() -> None:
    """Print the database's URL; the embedded database runs as long as a server or command uses it."""
    with database(Settings()) as found:
        click.echo(found)


@click.group()
def sql() -> None:
    """Apply, print and regenerate the SQL files: functions, views, queries."""


@sql.command()
def apply() -> None:
    """Apply the files of sql/ whose text has changed."""
    with database(Settings()) as found:
        for name in schema.apply_sql(found):
            click.echo(name)


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
            click.echo(path)
