"""`lookalike collection …`."""

import sys
from dataclasses import asdict
from typing import Any

import click

from app.cli.advise import advise
from app.cli.common import json_option, opened, print_json
from app.cli.jobs_here import detach_option, detached, done_here
from app.cli.reembed import reembed
from app.cli.saying import FloatRange, IntRange, say
from app.domain.jsontext import loads
from app.domain.records import Json
from app.domain.services import SERVICES
from app.domain.wording import counted
from app.services import collections, indexing, measuring, overview, recalling, records, warming
from app.services.jobs.copy_job import COPY
from app.services.jobs.index_jobs import FIELD_INDEX, INDEX

# Count a table exactly if it has at most this many bytes: that takes some tens of milliseconds.


_SAID = {
    "product_field": "the product field is {}",
    "recall_target": "searches aim at a recall of {:g}",
    "capacity": "the capacity is {} records",
}
_TAKEN = {
    "product_field": "no product field",
    "recall_target": "searches aim at a recall of LOOKALIKE_RECALL_TARGET",
    "capacity": "no capacity",
}
_recall_target = click.option(
    "--recall-target",
    type=FloatRange(min=0, min_open=True, max=1),
    help="Share of the true neighbours that searches aim at; 1: all compared.",
)


@click.group()
def collection() -> None:
    """Create, list, show, change and drop collections; declare indexes."""


collection.add_command(advise)
collection.add_command(reembed)


@collection.command()
@click.argument("name")
@click.option(
    "--service", type=click.Choice(list(SERVICES)), required=True, help="Service that the collection belongs to."
)
@click.option("--model", help="Model that makes its vectors; without it, the service's default.")
@click.option("--capacity", type=IntRange(min=1), help="Number of records at most; without it, no limit.")
@click.option(
    "--thumbnails/--no-thumbnails", default=True, show_default=True, help="Keep a small picture of each record."
)
@click.option(
    "--keep-images", is_flag=True, help="Keep each picture as it came, so that another model can embed it later."
)
@click.option("--product-field", help="The attribute that names a record's product, for searches that name none.")
@_recall_target
@json_option
def create(
    name: str,
    service: str,
    model: str | None,
    capacity: int | None,
    *,
    thumbnails: bool,
    keep_images: bool,
    product_field: str | None,
    recall_target: float | None,
    as_json: bool,
) -> None:
    """Create a collection."""
    with opened() as context:
        made = collections.create(
            context,
            name,
            service,
            model,
            capacity=capacity,
            thumbnails=thumbnails,
            keep_images=keep_images,
            product_field=product_field,
            recall_target=recall_target,
        )
    if as_json:
        print_json(
            {
                "name": made.name,
                "service": made.service,
                "model": made.model,
                "model_revision": made.model_revision,
                "dimensions": made.dimensions,
                "distance_scale": made.distance_scale,
                "capacity": made.capacity,
                "keep_images": made.keep_images,
                "product_field": made.product_field,
                "recall_target": made.recall_target,
            }
        )
    else:
        say(f"created {made.name}: service {made.service}, model {made.model}, {made.dimensions} dimensions")


@collection.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the collections."""
    with opened(reads=True) as context:
        rows = overview.of_all(context)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        size = sum(row[f"{part}_bytes"] for part in ("table", "index", "thumbnail", "original")) / 2**20
        say(
            f"{row['name']:<32} {row['service']:<15} {row['model']:<24}"
            f" {'' if row['counted'] else '~'}{counted(row['estimated_records'], 'record')}, {size:.1f} MiB"
        )


@collection.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show one collection, with the exact number of its records."""
    with opened(reads=True) as context:
        row = overview.of(context, name)
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        say(f"{key:<20} {value}")


@collection.command("set")
@click.argument("name")
@click.option("--product-field", help="The attribute that names a record's product, for searches that name none.")
@click.option(
    "--no-product-field", is_flag=True, help="Take the product field away: searches that name none answer every record."
)
@_recall_target
@click.option("--no-recall-target", is_flag=True, help="Let searches aim at LOOKALIKE_RECALL_TARGET again.")
@click.option("--capacity", type=IntRange(min=1), help="Number of records at most.")
@click.option("--no-capacity", is_flag=True, help="Take the limit away.")
def set_(name: str, **given: Any) -> None:
    """Change a setting of a collection; servers apply it within LOOKALIKE_AUTH_CACHE_SECONDS."""
    taken = {key.removeprefix("no_"): None for key, flag in given.items() if key.startswith("no_") and flag}
    settings = {key: value for key, value in given.items() if not key.startswith("no_") and value is not None}
    if len(taken) + len(settings) != 1:
        raise click.UsageError(
            "give one of --product-field FIELD, --no-product-field, --recall-target SHARE, --no-recall-target,"
            " --capacity NUMBER and --no-capacity"
        )
    with opened() as context:
        collections.change(context, name, settings | taken)
    ((setting, value),) = (settings | taken).items()
    say(f"{name}: {_SAID[setting].format(value) if value is not None else _TAKEN[setting]}")


@collection.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(name: str, *, yes: bool) -> None:
    """Drop a collection with all its records."""
    with opened() as context:
        number = records.count(context, collections.to_drop(context, name))
        if not yes:
            click.confirm(f"Drop {name} with its {counted(number, 'record')}? There is no way back", abort=True)
        collections.drop(context, name)
    say(f"dropped {name} ({counted(number, 'record')})")


@collection.command()
@click.argument("name")
@click.argument("field")
@click.option(
    "--each-value/--no-each-value",
    default=None,
    help="Give each frequent value an HNSW index of its own, or take them away.",
)
@detach_option
def index(name: str, field: str, *, each_value: bool | None, detach: bool) -> None:
    """Give an attribute of a collection a B-tree, so that filters on its range are fast.

    With --each-value, give each value that 2,000 records or more have (at most 32 values) an HNSW index of its own, so
    that searches for it among millions are fast, also where such records are unlike the query. Each takes memory for
    its records and time when one is written. Run it again when new values came up; `reindex` does so, too.
    """
    with opened() as context:
        found = collections.get(context, name)
        parameters: dict[str, Json] = {"field": field, "each_value": bool(each_value)}
        if each_value is not False and detach:
            detached(context, FIELD_INDEX, found, parameters)
        elif each_value is not False:
            outcome = done_here(context, FIELD_INDEX, found, parameters)
            if each_value:
                _tell_values(name, field, outcome["values"])
            else:
                say(f"{name}: {field} is served by the index {outcome['index']}")
        else:
            number = indexing.drop_values(context, found, field)
            say(f"{name}: indexes of values of {field} that were dropped: {number}")


def _tell_values(name: str, field: str, values: list[dict[str, Any]]) -> None:
    for one in values:
        built = "index built" if one["built"] else "has its index"
        say(f"{name}: {field} {one['value']}: {counted(one['records'], 'record')}, {built}")
    if not values:
        say(f"{name}: no value of {field} is that of {indexing.LEAST_OF_A_VALUE} records or more")


@collection.command()
@click.argument("name")
@click.argument("to")
@detach_option
def copy(name: str, to: str, *, detach: bool) -> None:
    """Copy a collection, as it is at one moment, to a new one of the name TO.

    Records, vectors, thumbnails, kept pictures and settings are copied, and the same indexes built. Duplicates and maps
    are not. The copy is there as a whole or not at all; Ctrl-C leaves none.
    """
    with opened() as context:
        found = collections.get(context, name)
        if detach:
            detached(context, COPY, found, {"to": to})
            return
        outcome = done_here(context, COPY, found, {"to": to})
    say(f"{to}: {counted(outcome['records'], 'record')} copied from {found.name}")


@collection.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Read all collections.")
@json_option
def warm(names: tuple[str, ...], *, everything: bool, as_json: bool) -> None:
    """Read collections into the database's memory, so that the first searches after a restart are fast.

    Where the extension pg_prewarm is installed, it reads the table and all indexes. Else statements read every page of
    the table and of the indexes of its vectors.
    """
    if bool(names) == everything:
        raise click.UsageError("name collections, or give --all")
    with opened(reads=True) as context:
        told = [warming.warm(context, name) for name in names or collections.names(context)]
    if as_json:
        print_json([asdict(one) for one in told])
        return
    for one in told:
        said = (
            f"{one.bytes / 2**20:.1f} MiB read in {one.seconds:.1f} s by {one.way}" if one.way else "another is at it"
        )
        say(f"{one.name}: {said}")


@collection.command()
@click.argument("names", nargs=-1)
@detach_option
def build(names: tuple[str, ...], *, detach: bool) -> None:
    """Build the HNSW index of collections that have outgrown exact search (all of them, if none is named).

    A server does this by itself, unless its database role does not own the tables. Each is a job; Ctrl-C pauses it.
    """
    with opened() as context:
        for name in names or collections.names(context):
            found = collections.get(context, name)
            if not indexing.needs_build(context, found):
                say(f"{name}: nothing to build")
            elif detach:
                detached(context, INDEX, found, {"anew": False})
            else:
                built = done_here(context, INDEX, found, {"anew": False})["built"]
                say(f"{name}: {'built' if built else 'nothing to build'}")


@collection.command()
@click.argument("name")
@detach_option
def reindex(name: str, *, detach: bool) -> None:
    """Build the HNSW index of a collection anew; searches go on meanwhile.

    The server does it by itself after large deletions (LOOKALIKE_REINDEX_SHARE).
    """
    with opened() as context:
        found = collections.get(context, name)
        if detach:
            detached(context, INDEX, found, {"anew": True})
            return
        done_here(context, INDEX, found, {"anew": True})
    say(f"the index of {name} is built anew")


@collection.command()
@click.argument("name")
@click.option("--sample", type=IntRange(1, 10_000), default=100, show_default=True, help="Records to search for.")
@click.option("--k", type=IntRange(1, 1000), default=20, show_default=True, help="Neighbours of each.")
@click.option("--filter", "filter_text", help="A filter, as JSON: measure the searches with it.")
@json_option
def recall(name: str, sample: int, k: int, filter_text: str | None, *, as_json: bool) -> None:
    """Measure what share of the true nearest records the searches of a collection find.

    Without a filter, the effort that its index needs for each share is measured first, and searches go by it from then
    on. The server does that by itself after a build of the index, and when a tenth of the records was written.
    """
    filter_ = loads(filter_text, "--filter") if filter_text is not None else None
    with opened(reads=True) as context:
        chosen = collections.get(context, name)
        if filter_text is None:
            measuring.measure_now(context, chosen)
            chosen = collections.get(context, name)
        with click.progressbar(length=sample, file=sys.stderr, label="searching") as bar:
            found = recalling.measure(context, chosen, sample=sample, k=k, filter_=filter_, progress=bar.update)
    if as_json:
        print_json(asdict(found))
        return
    say(f"recall@{k}    {found.recall:.4f}   95 % confidence {found.low:.4f} to {found.high:.4f}")
    say(f"queries      {found.queries}")
    say(f"search       {found.search_ms:.2f} ms (median)")
    say(f"exact        {found.exact_ms:.2f} ms (median)")
    for way, number in sorted(found.ways.items()):
        say(f"way          {way}: {number}")
