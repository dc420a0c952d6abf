"""What commands say: a line each, in which no id and no value can steer the terminal."""

import re

import click

# Control characters, and what turns the direction of a line or ends it: they would move the cursor, hide what stands
# before them, or look like a line of the program's own. Written as JSON has them, so that JSON stays the same value.
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def printable(text: str) -> str:
    r"""Return a text for one line of a terminal: whatever would steer that is written as an escape, like \u001b."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line, on stdout unless `err`."""
    click.echo(printable(line), err=err)


class IntRange(click.IntRange):
    """A whole number between bounds; where one is given that is none, that is said in these words."""

    name = "integer"


class FloatRange(click.FloatRange):
    """A number between bounds; where one is given that is none, that is said in these words."""

    name = "number"
