"""`lookalike audit`."""

from datetime import UTC, datetime

import click

from app.cli.common import json_option, opened, print_json
from app.cli.saying import IntRange, say
from app.domain.moments import while_of


@click.command()
@click.option("--token", "token_id", type=IntRange(1, 2**31 - 1), help="Those of the token with this id.")
@click.option("--collection", help="Those about this collection.")
@click.option("--last", help="Those of the last while, as 24h or 7d.")
@click.option("-n", "most", type=IntRange(1, 1000), default=50, show_default=True, help="The latest so many.")
@json_option
def audit(token_id: int | None, collection: str | None, last: str | None, most: int, *, as_json: bool) -> None:
    """List who changed what, and when: the latest last. The view lookalike.audit has the same in SQL."""
    since = None if last is None else datetime.now(UTC) - while_of(last, "--last")
    with opened(reads=True) as context:
        rows = context.audit.entries(token_id=token_id, collection=collection, since=since, most=most)
    rows.reverse()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        who = row["who"] or f"token {row['token_id']}"
        about = "  ".join(part for part in (row["collection"], row["target"]) if part)
        say(f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['code']:>3}  {who:<16}  {row['action']:<20}  {about}".rstrip())
