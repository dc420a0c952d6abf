"""`lookalike map …`: maps of collections are made, told of and written to a file."""

import csv
from pathlib import Path

import click

from app.cli.common import json_option, opened, print_json
from app.cli.jobs_here import detach_option, detached, done_here
from app.cli.saying import IntRange, say
from app.domain.wording import counted
from app.services import collections, maps
from app.services.jobs.map_job import MAP


@click.group("map")
def map_() -> None:
    """Make maps of collections: pictures in a plane in which neighbours look alike."""


@map_.command()
@click.argument("collection")
@click.option("--anew", is_flag=True, help="Lay all records out anew, however few are new.")
@click.option("--seed", type=IntRange(0, 2**31 - 1), default=1, show_default=True, help="Of what is drawn by lot.")
@detach_option
@json_option
def build(collection: str, *, anew: bool, seed: int, detach: bool, as_json: bool) -> None:
    """Lay out the records of COLLECTION, or put what is new on the map that there is."""
    parameters = {"anew": anew, "seed": seed}
    with opened() as context:
        found = collections.get(context, collection)
        if detach:
            detached(context, MAP, found, parameters, as_json=as_json)
            return
        outcome = done_here(context, MAP, found, parameters)
    if as_json:
        print_json(outcome)
        return
    lie = "lies" if outcome["records"] == 1 else "lie"
    where = counted(outcome["clusters"], "cluster")
    say(f"{found.name}: {counted(outcome['records'], 'record')} {lie} on the map, in {where}")


@map_.command()
@click.argument("collection")
@json_option
def show(collection: str, *, as_json: bool) -> None:
    """Tell how far the map of COLLECTION is."""
    with opened(reads=True) as context:
        found = collections.get(context, collection)
        state = maps.state(context, found)
    told = {"layout": "none", "points": 0}
    if state is not None:
        told = {
            "layout": state.layout,
            "outdated": state.generation != found.generation,
            "points": state.points,
            "placed": state.placed,
            "unplaced": state.records - state.points,
            "seed": state.seed,
            "made_at": state.made_at,
        }
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        say(f"{name}: {value}")


@map_.command()
@click.argument("collection")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def export(collection: str, file: Path | None) -> None:
    """Write where the records of COLLECTION lie as CSV: _id, x, y; to FILE, or to stdout.

    Of more than 200,000 records a sample is written; the view lookalike.map_records has all.
    """
    with opened() as context:
        found = collections.get(context, collection)
        points = maps.points(context, found)
        _, ids = maps.ids(context, found, points.version)
    with click.open_file("-" if file is None else str(file), "w", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("_id", "x", "y"))
        for record_id, (x, y) in zip(ids, points.points.tolist(), strict=False):
            if record_id is not None:
                writer.writerow((record_id, f"{x:.6g}", f"{y:.6g}"))
