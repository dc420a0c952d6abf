"""The command `lookalike`: groups of commands, and the codes that they exit with (docs/command-line.md)."""

import signal
import sys
from importlib import import_module
from types import FrameType

import click

from app.cli.saying import say
from app.domain.errors import ConfigurationError, LookalikeError
from app.version import __version__

# Each command and the module that it is in. A module is imported when its command is asked for: none waits for the
# server's and the web framework's imports but those that use them.
_COMMANDS = {
    "alias": "alias",
    "backup": "backup",
    "audit": "audit",
    "collection": "collection",
    "db": "database",
    "demo": "demo",
    "duplicates": "duplicates",
    "export": "export",
    "import": "importing",
    "job": "job",
    "load": "load",
    "map": "map",
    "model": "model",
    "serve": "serve",
    "sql": "database",
    "token": "token",
    "update": "load",
    "worker": "job",
}


# What is said of a command that was stopped by a signal.
_GO_ON = {
    "backup": "a backup that was not finished is none; run the same command again",
    "load": "what was stored is kept; the same command goes on where it stopped",
    "update": "what was changed is kept; the same command changes the rest",
    "collection": "what was done is kept; the same command goes on with a reembed, and begins a copy or a build anew",
    "duplicates": "what was compared or decided is kept; the same command goes on where it stopped",
    "map": "what was made is kept; the same command goes on where it stopped",
    "export": "what was written is no whole export; run the same command again",
}
_TO_GO_ON = "nothing is left half done; run the same command again"


class Stopped(KeyboardInterrupt):
    """A signal that asks to stop: handled as a Ctrl-C, so that everything that was opened is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)


class Commands(click.Group):
    """A group whose commands are imported when they are asked for, and stopped by signals in one way."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; one that is stopped says how to go on, and exits with 128 and the signal's number."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            number = stopped.number if isinstance(stopped, Stopped) else signal.SIGINT
            advice = _GO_ON.get(ctx.invoked_subcommand or "", _TO_GO_ON)
            say(f"lookalike: stopped by {signal.Signals(number).name}: {advice}", err=True)
            sys.exit(128 + number)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None where there is none of this name."""
        if cmd_name not in _COMMANDS:
            return None
        function = f"{cmd_name}_" if cmd_name in {"import", "map"} else cmd_name  # Python has these names
        command: click.Command = getattr(import_module(f"app.cli.{_COMMANDS[cmd_name]}"), function)
        return command


_FAILED, _MISTAKEN = 1, 2
_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Lookalike: a visual similarity search server on PostgreSQL and pgvector."""
    from app.config import Settings  # noqa: PLC0415  (pydantic: `--version` and `--help` need none of it)

    for sentence in Settings.misspelt():
        say(f"lookalike: warning: {sentence}", err=True)


def main() -> None:
    """Run the command line; an error that a person can mend is one line, without a trace.

    Exits with 0, with 1 after a failure, 2 where the command or a setting is wrong, 128 and a signal's number after it.
    """
    for number in _SIGNALS[1:]:
        if signal.getsignal(number) == signal.SIG_DFL:  # not where nohup has it ignored
            signal.signal(number, _stop)
    try:
        code = cli(standalone_mode=False)
    except ConfigurationError as error:  # the program's own words, which may be several lines
        for line in f"lookalike: {error}".splitlines():
            say(line, err=True)
        code = _MISTAKEN
    except LookalikeError as error:
        say(f"lookalike: {error}", err=True)
        code = _FAILED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:  # a question was answered with no
        say("lookalike: nothing was done", err=True)
        code = _FAILED
    finally:
        # What was to be done is done, and said: a signal while the interpreter ends would only take the exit code.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
