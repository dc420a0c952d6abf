"""`lookalike export` and `lookalike duplicates`: what is in a collection, as lines of JSON."""

from typing import BinaryIO

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from app.cli.common import opened
from app.db import collections as table
from app.db import listing as rows
from app.db import pairs, records
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Fields
from app.services import listing as service


def _parsed(text: str | None) -> object:
    return loads(text, "--filter") if text is not None else None


@click.command()
@click.argument("collection")
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--filter", "filter_", help="A filter in MongoDB's format, as JSON; without it, every record.")
def export(collection: str, file: BinaryIO, filter_: str | None) -> None:
    """Write the records of COLLECTION to FILE (or stdout), a line of JSON each, as `lookalike load` reads them."""
    with opened(reads=True) as context:
        found = table.get(context.db, collection)
        listing = service.of(context, found, Fields(everything=True), _parsed(filter_))  # type: ignore[arg-type]
        for piece in rows.stream(context.db, listing):
            file.writelines(record.json() + b"\n" for record in piece)


@click.command()
@click.argument("collection")
@click.option(
    "--radius", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Largest distance of a pair."
)
@click.option("--limit", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Pairs at most.")
@click.option("--filter", "filter_", help="A filter in MongoDB's format, as JSON; without it, every record.")
def duplicates(collection: str, radius: float, limit: int, filter_: str | None) -> None:
    """Print the pairs of records of COLLECTION that show the same picture, nearest first, a line of JSON each."""
    with opened(reads=True) as context:
        found = table.get(context.db, collection)
        listing = service.of(context, found, Fields(), _parsed(filter_))  # type: ignore[arg-type]
        vectors = pairs.read_vectors(context.db, listing, max(1, records.count(context.db, found)))
        if vectors is None:
            raise InvalidRequest("the collection grew while it was read; try again")
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task(f"comparing {len(vectors.ids)} records", total=len(vectors.ids))
            best = pairs.nearest_pairs(
                vectors, found.distance_scale, radius, limit, lambda done: progress.advance(task, done)
            )
    for one, other, distance in best:
        line = {"records": [vectors.ids[one], vectors.ids[other]], "distance": round(max(0.0, distance), 6)}
        click.echo(orjson.dumps(line).decode())
