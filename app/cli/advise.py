"""`lookalike collection advise`."""

from dataclasses import asdict

import click

from app.cli.common import json_option, opened, print_json
from app.cli.saying import say
from app.services import advising, collections
from app.services.advising import Advice, Advised

_SECOND = 1000.0


@click.command()
@click.argument("name")
@click.option("--apply", "applied", is_flag=True, help="Build what is advised.")
@json_option
def advise(name: str, *, applied: bool, as_json: bool) -> None:
    """Name the indexes that would help the searches of a collection, by the log of searches.

    The server keeps that where LOOKALIKE_LOG_SEARCHES is on. Times are reckoned with the costs that `lookalike db
    calibrate` measured. Counts the values of fields that are asked for, which reads every record.
    """
    with opened(reads=not applied) as context:
        found = collections.get(context, name)
        advised = advising.advise(context, found)
        if not as_json:
            _tell(name, advised, indexed=found.indexed)
        if applied:
            advising.apply(context, found, advised.advice)
    if as_json:
        print_json({**asdict(advised), "applied": applied})
    elif applied and advised.advice:
        say(f"{name}: built")


def _tell(name: str, advised: Advised, *, indexed: bool) -> None:
    if not advised.searches:
        say(f"{name}: no search with a filter is in the log, which the server keeps with LOOKALIKE_LOG_SEARCHES")
    elif not indexed:
        say(f"{name}: it has no index yet; to compare all of its records is as fast")
    elif not advised.advice:
        say(f"{name}: no index would spare the {advised.searches} logged searches with a filter a twentieth")
    for one in advised.advice:
        say(_sentence(name, one))


def _sentence(name: str, one: Advice) -> str:
    saved = f"{one.saved_ms / 1000:.1f} s" if one.saved_ms >= _SECOND else f"{one.saved_ms:.0f} ms"
    what = "a B-tree on" if one.kind == "field" else "an HNSW index of each frequent value of"
    return (
        f"{name}: {what} {one.field} ({one.bytes / 2**20:.1f} MiB) would spare {one.searches} searches"
        f" {saved}: {one.milliseconds:.1f} ms now, about {one.expected_ms:.1f} ms with it;"
        f" {one.command}"
    )
