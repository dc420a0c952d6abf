"""The command `lookalike`: groups of commands, and the codes that they exit with (docs/command-line.md)."""

import sys
from importlib import import_module

import click

from app.config import Settings
from app.domain.errors import ConfigurationError, LookalikeError
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


_FAILED, _MISTAKEN, _INTERRUPTED = 1, 2, 130


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Lookalike: a visual similarity search server on PostgreSQL and pgvector."""
    for sentence in Settings.misspelt():
        click.echo(f"lookalike: warning: {sentence}", err=True)


def main() -> None:
    """Run the command line; an error that a person can mend is one line, without a trace.

    Exits with 0, with 1 after a failure, 2 where the command or a setting is wrong, 130 after Ctrl-C.
    """
    try:
        code = cli(standalone_mode=False)
    except ConfigurationError as error:
        code = _told(error, _MISTAKEN)
    except LookalikeError as error:
        code = _told(error, _FAILED)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort as error:  # by Ctrl-C, or by a question that was answered with no
        interrupted = isinstance(error.__cause__, KeyboardInterrupt)
        click.echo("lookalike: interrupted" if interrupted else "lookalike: nothing was done", err=True)
        code = _INTERRUPTED if interrupted else _FAILED
    sys.exit(code)


def _told(error: LookalikeError, code: int) -> int:
    click.echo(f"lookalike: {error}", err=True)
    return code
