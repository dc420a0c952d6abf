"""`lookalike export` and `lookalike duplicates`: what is in a collection, as lines of JSON."""

from typing import BinaryIO

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from app.cli.common import opened
from app.domain.jsontext import loads
from app.domain.records import Fields
from app.services import collections, pairs
from app.services import listing as service
from app.services.exporting import Parts, lines


def _parsed(text: str | None) -> object:
    return loads(text, "--filter") if text is not None else None


@click.command()
@click.argument("collection")
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--filter", "filter_", help="A filter in MongoDB's format, as JSON; without it, every record.")
@click.option("--no-pictures", is_flag=True, help="Leave out the pictures that the collection keeps (_base64).")
@click.option("--no-embeddings", is_flag=True, help="Leave out the vectors (_embedding).")
def export(collection: str, file: BinaryIO, filter_: str | None, *, no_pictures: bool, no_embeddings: bool) -> None:
    """Write the records of COLLECTION to FILE (or stdout), a line of JSON each, as `lookalike load` reads them.

    A line has the attributes, the _box, the picture where it is kept (_base64), and the vector with its model
    (_embedding): a collection of that model takes the vector as it is, and needs no picture.
    """
    with opened(reads=True) as context:
        found = collections.get(context, collection)
        listing = service.of(found, Fields(everything=True), _parsed(filter_))  # type: ignore[arg-type]
        parts = Parts(pictures=not no_pictures, embeddings=not no_embeddings)
        file.writelines(lines(context, listing, parts))


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
        found = collections.get(context, collection)
        listing = service.of(found, Fields(), _parsed(filter_))  # type: ignore[arg-type]
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("comparing records", total=None)

            def tell(done: int, total: int) -> None:
                progress.update(task, description=f"comparing {total} records", total=total, advance=done)

            found_pairs = pairs.all_pairs(context, listing, radius, limit, tell)
    for pair in found_pairs:
        click.echo(orjson.dumps({"records": pair.ids, "distance": round(pair.distance, 6)}).decode())
