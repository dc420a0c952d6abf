"""What commands say cannot steer the terminal, and numbers that are none are refused in words."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.cli.saying import printable, say

FOLDER = Path(__file__).resolve().parents[2] / "app" / "cli"
# Statements and tables of the program's own, of several lines.
WHOLE_TEXTS = {"database.py": 3, "demo.py": 1, "model_calibrate.py": 1}
STEERING = ["\x1b[2J", "\x07", "\r", "\n", "\x7f", "\x9b31m", "\u202e", "\u2028", "\u2066", "\x00", "\x85"]


@pytest.mark.parametrize("text", STEERING)
def test_nothing_steers_the_terminal_and_json_stays_the_same_value(
    text: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    say(f"a{text}b", err=True)
    said = capsysbinary.readouterr().err.decode()
    assert said == f"a\\u{ord(text[0]):04x}{text[1:]}b\n"
    given = {"id": f"ä{text}\\ \u200d"}
    assert json.loads(printable(json.dumps(given, ensure_ascii=False))) == given


def test_every_command_says_what_it_says_in_this_way() -> None:
    for path in FOLDER.glob("*.py"):
        if path.name != "saying.py":
            text = path.read_text()
            assert text.count("click.echo(") == WHOLE_TEXTS.get(path.name, 0), path.name
            assert "click.IntRange" not in text, path.name
            assert "click.FloatRange" not in text, path.name


def commands(group: click.Group, context: click.Context) -> Iterator[click.Command]:
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, context)
        yield found


def test_a_number_that_is_none_is_refused_in_words() -> None:
    context = click.Context(cli)
    kinds = {param.type.name for one in commands(cli, context) for param in one.params}
    assert not {kind for kind in kinds if "range" in kind}
    done = CliRunner().invoke(cli, ["duplicates", "undo", "shop", "x"])
    assert done.exit_code == 2
    assert "'x' is not a valid integer." in done.output
    assert "'x' is not a valid number." in CliRunner().invoke(cli, ["duplicates", "shop", "--radius", "x"]).output
