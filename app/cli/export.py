"""`lookalike export`: the records of a collection as a file of JSON lines, CSV or Parquet, or a tar of pictures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from app.cli.common import json_option, opened
from app.cli.jobs_here import detach_option, detached, done_here
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json
from app.services import collections
from app.services.exporting.choice import COMPRESSIONS, FORMATS, PICTURES, Choice
from app.services.exporting.job import EXPORT, chosen, run_export
from app.services.exporting.writing import written_to


@click.command()
@click.argument("collection")
@click.argument("file", default="-")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Format; left out: FILE's name says it, or jsonl."
)
@click.option("--filter", "filter_", help="A filter in MongoDB's format, as JSON; without it, every record.")
@click.option("--fields", help="Attributes that are written, separated by commas; left out: all.")
@click.option(
    "--embeddings/--no-embeddings", default=None,
    help="Whether vectors (_embedding) are written; left out: in jsonl and parquet.",
)  # fmt: skip
@click.option(
    "--pictures", type=click.Choice(PICTURES),
    help="Which pictures are written; left out: originals that are kept in jsonl (_base64), thumbnails in tar.",
)  # fmt: skip
@click.option("--no-pictures", is_flag=True, help="The same as --pictures none.")
@click.option("--compression", type=click.Choice(COMPRESSIONS), help="Left out: FILE's name says it, or none.")
@detach_option
@json_option
def export(
    collection: str,
    file: str,
    format_: str | None,
    filter_: str | None,
    fields: str | None,
    pictures: str | None,
    compression: str | None,
    *,
    embeddings: bool | None,
    no_pictures: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Write the records of COLLECTION to FILE (or stdout), as `lookalike import` and `load` read them.

    All are of one moment. FILE appears once it is whole; one of its name is replaced. To write a FILE is a job, which
    `lookalike job list` shows; Ctrl-C pauses it, and the same command begins it anew. A line of JSON has the
    attributes, the _box, the picture where it is kept (_base64), and the vector with its model (_embedding): a
    collection of that model takes the vector as it is, and needs no picture.
    """
    if no_pictures and pictures not in (None, "none"):
        raise click.UsageError(f"--no-pictures and --pictures {pictures} do not go together")
    if detach and file != "-":
        raise click.UsageError("--detach writes to the export folder of the worker: leave out FILE")
    named = Choice.named(file)
    given: dict[str, Json] = {
        "format": format_ or named.format,
        "compression": compression or named.compression,
        "filter": None if filter_ is None else loads(filter_, "--filter"),
        "fields": None if fields is None else [name.strip() for name in fields.split(",") if name.strip()],
        "embeddings": embeddings,
        "pictures": "none" if no_pictures else pictures,
    }
    path = Path(file)
    as_job = file != "-" and (path.is_file() or not path.exists())
    with opened(reads=not (detach or as_job)) as context:
        found = collections.get(context, collection)
        if detach:
            detached(context, EXPORT, found, given, as_json=as_json)
            return
        choice, listing = chosen(found, given)
        if as_job:
            if not path.absolute().parent.is_dir():
                raise InvalidRequest(f"{file} cannot be written: it is in a folder that is not there")
            here = replace(EXPORT, run=partial(run_export, path=path.absolute()))
            done_here(context, here, found, {**given, "format": given["format"] or "jsonl"}, local=True)
            return
        with _target(file) as stream:
            for _ in written_to(context, listing, choice, stream):
                pass


@contextmanager
def _target(name: str) -> Iterator[BinaryIO]:
    """Give what is written to as it is: stdout, a device or a pipe."""
    path = Path(name)
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif path.is_dir():
        raise InvalidRequest(f"{name} cannot be written: it is a folder")
    else:
        with path.open("wb") as stream:
            yield stream
