"""`lookalike alias …`."""

from dataclasses import asdict

import click

from app.cli.common import json_option, opened, print_json
from app.cli.saying import say
from app.services import aliases


@click.group()
def alias() -> None:
    """Set, list and delete aliases: names that callers may use in place of a collection's."""


@alias.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME COLLECTION [NAME COLLECTION]...")
@json_option
def set_(pairs: tuple[str, ...], *, as_json: bool) -> None:
    """Make NAME lead to COLLECTION; several pairs are switched in one transaction.

    Servers follow within LOOKALIKE_AUTH_CACHE_SECONDS. A request ends on the collection that it began with, so drop the
    one before only after that.
    """
    names, targets = pairs[::2], pairs[1::2]
    if len(names) != len(targets):
        raise click.UsageError(f"give each name its collection: {names[-1]} has none")
    if len(set(names)) < len(names):
        raise click.UsageError("give each name once")
    with opened() as context:
        done = aliases.set_all(context, dict(zip(names, targets, strict=True)))
    if as_json:
        print_json([asdict(one) for one in done])
        return
    for one in done:
        before = f" (before: {one.before})" if one.before is not None else ""
        say(f"{one.name} leads to {one.collection}{before}")
        if one.locked_out:
            tokens = ", ".join(map(str, one.locked_out))
            say(f"tokens that may use {one.before} and not {one.collection}: {tokens}", err=True)


@alias.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the aliases with their collections."""
    with opened(reads=True) as context:
        rows = aliases.listed(context)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['name']:<32} {row['collection']:<32} {row['service']:<15} {row['set_at']:%Y-%m-%d %H:%M}")


@alias.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete an alias; its collection stays."""
    with opened() as context:
        aliases.drop(context, name)
    say(f"deleted the alias {name}")
