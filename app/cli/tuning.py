"""`lookalike duplicates tune`: pairs are judged in the terminal, and what each radius would find is told."""

import getpass
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import click

from app.cli.common import json_option, opened, print_json
from app.cli.saying import FloatRange, IntRange, printable, say
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, LookalikeError
from app.domain.jsontext import loads
from app.domain.tuning import Estimate
from app.services import collections, duplicate_tuning
from app.services.context import Context
from app.services.duplicate_tuning import Judgement, Report

_Show = Callable[[int, str, str], str]


def curator() -> str:
    """Return the name of who decides, as the history has it."""
    return f"command line, {getpass.getuser()}"


@click.command()
@click.argument("collection")
@click.option("--pairs", type=IntRange(0, 1000), default=40, show_default=True, help="Pairs to be asked about.")
@click.option(
    "--precision",
    type=FloatRange(0, 1, min_open=True),
    default=duplicate_tuning.PRECISION,
    show_default=True,
    help="Precision that is wanted of the radius.",
)
@click.option(
    "--answers",
    type=click.File("rb"),
    help='Take answers from a file, - for stdin, and ask nothing: {"one": ID, "other": ID, "same": true} a line.',
)
@click.option(
    "--thumbnails",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder to write the two thumbnails of each pair to, as NUMBER-a.webp and NUMBER-b.webp.",
)
@json_option
def tune(
    collection: str,
    pairs: int,
    precision: float,
    answers: BinaryIO | None,
    thumbnails: Path | None,
    *,
    as_json: bool,
) -> None:
    """Find the radius for COLLECTION: ask whether pairs show the same picture, and tell what each radius would find.

    Pairs are drawn at all distances up to the radius of the scan. Answers are kept: another run goes on, and --pairs 0
    only tells. Ctrl-C ends the questions.
    """
    with opened() as context:
        found = collections.get(context, collection)
        if answers is not None:
            given = _judgements_of(answers)
            if given:
                duplicate_tuning.judge(context, found, given, curator())
        elif pairs:
            drawn = duplicate_tuning.draw(context, found, pairs)
            shown = None if thumbnails is None else _thumbnails_in(context, found, thumbnails)
            _ask(drawn, shown, lambda one: duplicate_tuning.judge(context, found, [one], curator()))
        told = duplicate_tuning.report(context, found, precision)
    if as_json:
        print_json(asdict(told))
    else:
        _tell_report(told, precision)


def _judgements_of(lines: BinaryIO) -> list[Judgement]:
    """Return the answers of a file, a line of JSON each.

    Raises:
        InvalidRequest: a line is none; the message names it.

    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = loads(line)
        except LookalikeError as error:
            raise InvalidRequest(f"line {number}: {error}") from None
        if not isinstance(given, dict):
            raise InvalidRequest(f"line {number}: it is no JSON object")
        one, other, same = given.get("one"), given.get("other"), given.get("same")
        if not isinstance(one, str) or not isinstance(other, str) or not isinstance(same, bool):
            raise InvalidRequest(f'line {number}: it has "one" and "other", two ids, and "same", true or false')
        found.append(Judgement(one, other, same))
    return found


def _thumbnails_in(context: Context, collection: Collection, folder: Path) -> _Show:
    """Return what writes the thumbnails of a pair to a folder, and says where."""
    folder.mkdir(parents=True, exist_ok=True)

    def show(number: int, one: str, other: str) -> str:
        stored = duplicate_tuning.thumbnails(context, collection, [one, other])
        written = []
        for letter, record_id in (("a", one), ("b", other)):
            if record_id in stored:
                path = folder / f"{number:03}-{letter}.webp"
                path.write_bytes(stored[record_id])
                written.append(str(path))
        return f" ({', '.join(written)})" if written else ""

    return show


def _ask(pairs: Sequence[tuple[str, str]], show: _Show | None, judge: Callable[[Judgement], object]) -> None:
    """Ask of each pair whether it shows the same picture, and keep each answer at once, until the input ends."""
    if not pairs:
        say("every pair was judged", err=True)
    for number, (one, other) in enumerate(pairs, 1):
        where = "" if show is None else show(number, one, other)
        what = f"{number} of {len(pairs)}: do {one} and {other} show the same picture?{where}"
        try:
            answer = click.prompt(
                f"{printable(what)} [y, n, s: skip, q: end]",
                type=click.Choice(["y", "n", "s", "q"], case_sensitive=False),
                show_choices=False,
                err=True,
            ).lower()
        except click.Abort:  # Ctrl-C, or no more input
            say(err=True)
            return
        if answer == "q":
            return
        if answer != "s":
            judge(Judgement(one, other, answer == "y"))


def _tell_report(told: Report, precision: float) -> None:
    """Print what is known of each radius."""
    say(f"{told.judged} of {told.pairs} pairs judged; intervals of 95 %")
    say(f"{'radius':>8} {'pairs':>9}  {'precision':<24}{'recall':<24}")
    for one in told.candidates:
        if not told.judged:
            say(f"{one.radius:8.2f} {one.pairs:9}  {'-':<24}-")
            continue
        recall = _share(one.recall) if one.recall is not None else "-"
        say(f"{one.radius:8.2f} {one.pairs:9}  {_share(one.precision):<24}{recall:<24}")
    if told.suggested is None:
        say(f"no radius is known to have a precision of {precision:g}: judge more pairs, or ask for less")
    else:
        say(f"the widest radius with a precision of {precision:g}: {told.suggested:g}")


def _share(one: Estimate) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
