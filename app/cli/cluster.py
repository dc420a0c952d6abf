"""`lookalike db distribute`."""

import click

from app.cli.common import opened
from app.cli.saying import IntRange, say
from app.domain.collections import Collection
from app.domain.wording import counted
from app.services import distributing


@click.command()
@click.option("--collection", "name", help="The collection; without it, all that are not distributed yet.")
@click.option("--whole", is_flag=True, help="Keep the records of a collection together, on one worker.")
@click.option("--shards", type=IntRange(1, 1024), help="Tables of a collection; without it, one a worker.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would be done.")
def distribute(name: str | None, shards: int | None, *, whole: bool, dry_run: bool) -> None:
    """Put the records of collections on the workers of Citus, whole or spread by a hash of their ids.

    A search looks into every table of a collection, so more tables than workers cost time and bring nothing. Indexes of
    vectors are built on the workers afterwards; searches compare all records until then.
    """
    if whole and shards is not None:
        raise click.UsageError("--whole keeps a collection in one table: it goes without --shards")
    with opened(reads=dry_run) as context:
        planned = distributing.plan(context, name, shards, whole=whole)
        where = "whole, on one worker" if planned.tables is None else f"in {counted(planned.tables, 'table')}"

        def told(collection: Collection) -> str:
            return f"{collection.name}: {counted(collection.rows, 'record')} or so, {where}"

        if dry_run:
            for collection in planned.collections:
                say(f"would distribute {told(collection)}")
            return
        distributing.distribute(context, planned, lambda one: say(f"distributed {told(one)}"), say)
