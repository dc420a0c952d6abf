"""The command `lookalike`: groups of commands, every option also an environment variable."""

import sys

import click

from app.cli.bench import bench
from app.cli.collection import collection
from app.cli.database import db, sql
from app.cli.demo import demo
from app.cli.export import duplicates, export
from app.cli.load import load, update
from app.cli.model import model
from app.cli.serve import serve
from app.cli.token import token
from app.domain.errors import LookalikeError
from app.version import __version__


@click.group(context_settings={"auto_envvar_prefix": "LOOKALIKE", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Lookalike: a visual similarity search server on PostgreSQL and pgvector."""


for command in (serve, demo, collection, model, token, load, update, export, duplicates, db, sql, bench):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error that a person can mend is one line, without a trace."""
    try:
        cli()
    except LookalikeError as error:
        click.echo(f"lookalike: {error}", err=True)
        sys.exit(1)
