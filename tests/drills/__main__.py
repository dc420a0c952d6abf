"""`make drills`, or `python -m tests.drills`: a fault after another under load, with a table at the end."""

import sys

import click

from tests.bench.report import Table
from tests.drills.drills import DRILLS, errors_in_words, run


@click.command()
@click.option("--only", type=click.Choice(list(DRILLS)), multiple=True, help="A drill; may be repeated. None: all.")
@click.option(
    "--changes", type=click.IntRange(min=100), default=10_000, show_default=True, help="Acknowledged changes a drill."
)
def drills(only: tuple[str, ...], changes: int) -> None:
    """Break one thing after another under a real server and database that are written to and searched.

    Exits with 1 where a change that was acknowledged is lost, one is there twice, an answer was wrong, a request got
    another status than 200 or 503, or more than five seconds passed from the fault's end to the first good answer.
    """
    rows, notes, failed = [], [], False
    for name in only or DRILLS:
        drill = DRILLS[name]
        if reason := drill.lacks():
            notes.append(f"{name} was left out: {reason}.")
            continue
        click.echo(f"{name}: {drill.what}", err=True)
        result = run(drill, changes, lambda line: click.echo(line, err=True))
        failed |= bool(result.fails)
        for line in result.fails:
            click.echo(f"  FAILS: {line}", err=True)
        rows.append(
            (
                name,
                f"{drill.what}, {len(drill.strikes)} times",
                f"{result.verdict.acknowledged:,}",
                str(result.verdict.lost),
                str(result.verdict.doubled),
                f"{len(result.wrong)} of {result.good:,}",
                f"{result.answer_seconds:.1f}",
                f"{result.write_seconds:.1f}",
                errors_in_words(result),
            )
        )
        click.echo(" | ".join(rows[-1]), err=True)
    header = (
        "drill", "what happens", "acknowledged", "lost", "twice", "wrong answers", "s to a search", "s to a write",
        "requests without a good answer",
    )  # fmt: skip
    click.echo(Table("Fault drills", header, rows, notes).markdown())
    sys.exit(failed)


if __name__ == "__main__":
    drills()
