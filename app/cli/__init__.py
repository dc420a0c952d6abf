"""The command `lookalike`: groups of commands, every option also an environment variable."""

import sys
from importlib import import_module

import click

from app.domain.errors import LookalikeError
from app.version import __version__

# Each command and the module that it is in. A module is imported when its command is asked for: none waits for the
# server's, the web framework's and the benchmarks' imports but those that use them.
_COMMANDS = {
    "bench": "bench",
    "collection": "collection",
    "db": "database",
    "demo": "demo",
    "duplicates": "export",
    "export": "export",
    "load": "load",
    "model": "model",
    "serve": "serve",
    "sql": "database",
    "token": "token",
    "update": "load",
}


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None where there is none of this name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"app.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "LOOKALIKE", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Lookalike: a visual similarity search server on PostgreSQL and pgvector."""


def main() -> None:
    """Run the command line; an error that a person can mend is one line, without a trace."""
    try:
        cli()
    except LookalikeError as error:
        click.echo(f"lookalike: {error}", err=True)
        sys.exit(1)
