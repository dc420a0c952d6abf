"""`lookalike model …`."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from app.cli.common import json_option, print_json
from app.cli.logs import log_to_stderr
from app.cli.model_calibrate import calibrate
from app.cli.saying import say
from app.config import Settings
from app.demo.catalogue import catalogue
from app.domain.errors import InvalidRequest
from app.embedding.hub.pull import pull as pull_model
from app.embedding.models import registry
from app.embedding.models.check import check as check_model
from app.embedding.models.inventory import Listed, inventory

_SAMPLES = 16


@click.group()
def model() -> None:
    """List, fetch, check and calibrate models."""


@model.command("list")
@click.option("--all", "everything", is_flag=True, help="Show models that cannot be used as well, with the reason.")
@json_option
def list_(*, everything: bool, as_json: bool) -> None:
    """List the models on this machine: built in, of the Hugging Face cache, and in LOOKALIKE_MODELS_FOLDER."""
    rows = inventory(Settings().models)
    shown = [row for row in rows if everything or row.facts]
    if as_json:
        print_json([row.as_json() for row in shown])
        return
    width = max(len(row.name) for row in shown)
    say(f"{'name':<{width}}  {'dims':>5}  {'scale':>6}  {'texts':<5}  {'at hand':<7}  {'licence':<14}  revision")
    for row in shown:
        say(_line(row, width))
    if len(rows) > len(shown):
        say(
            f"{len(rows) - len(shown)} more cannot be used, as they are not for pictures or incomplete: --all tells why"
        )


def _line(row: Listed, width: int) -> str:
    if row.facts is None:
        return f"{row.name:<{width}}  cannot be used: {row.reason}"
    facts = row.facts
    told = f"  ({row.reason})" if row.reason else ""
    return (
        f"{row.name:<{width}}  {facts.dimensions:>5}  {facts.distance_scale:>6.1f}  {_yes(row.knows_text):<5}"
        f"  {_yes(row.at_hand):<7}  {facts.licence:<14}  {facts.revision}{told}"
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@model.command()
@click.argument("name", metavar="ID")
@click.option("--revision", help="Branch, tag or commit; without it, main.")
@json_option
def pull(name: str, revision: str | None, *, as_json: bool) -> None:
    """Fetch a model of the Hugging Face hub (org/name), so that the server needs no network.

    Prints the name to pin it by: org/name@commit.
    """
    log_to_stderr("warning")
    if revision is not None and "@" in name:
        raise InvalidRequest(f"{name!r} names a revision already: leave out --revision {revision}")
    full = name if revision is None else f"{name}@{revision}"
    done = pull_model(full, Settings().models, bars=sys.stderr.isatty())
    if as_json:
        print_json({**asdict(done.facts), "name": done.pinned, "commit": done.commit, "bytes": done.bytes})
        return
    facts = done.facts
    say(f"{done.pinned}")
    say(
        f"{facts.dimensions} dimensions, licence {facts.licence}, {done.bytes / 2**20:.1f} MiB. To use just this state"
        f" of it: lookalike collection create NAME --service SERVICE --model {done.pinned}"
    )


@model.command()
@click.argument("name")
@click.argument("pictures", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check(name: str, pictures: tuple[Path, ...], *, as_json: bool) -> None:
    """Load a model and run pictures through it: the ones named, else some of the sample catalogue.

    Exits with 1 and the reason where it cannot be loaded or gives no usable vectors.
    """
    log_to_stderr("warning")
    settings = Settings()
    given = [(str(path), path.read_bytes()) for path in pictures] or _samples()
    done = check_model(registry.load(name, settings.models, settings.model_threads), given, settings.images)
    if as_json:
        print_json(asdict(done))
        return
    for title, value in (
        ("model", f"{done.facts.name}, revision {done.facts.revision}"),
        ("licence", done.facts.licence),
        ("vectors", f"{done.facts.dimensions} dimensions, finite, of unit length to {done.longest_off:.0e}"),
        ("pooling", done.pooling),
        ("runs on", f"{done.runs_on}, {settings.model_threads} CPU thread(s)"),
        ("speed", f"{done.per_second:.0f} pictures/s from bytes, {done.model_per_second:.0f} through the model alone"),
        ("pictures", f"{done.pictures} {'of yours' if pictures else 'the sample catalogue'}"),
    ):
        say(f"{title:<9} {value}")


def _samples() -> list[tuple[str, bytes]]:
    return [(product.id, product.data) for product in catalogue(_SAMPLES)]


model.add_command(calibrate)
