"""`lookalike export`: what is in a collection, as lines of JSON."""

from typing import BinaryIO

import click

from app.cli.common import opened
from app.domain.jsontext import loads
from app.domain.records import Fields
from app.services import collections
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
