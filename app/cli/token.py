"""`lookalike token …`."""

import click

from app.cli.common import json_option, opened, print_json
from app.domain.tokens import Scope
from app.services import tokens


@click.group()
def token() -> None:
    """Create, list and revoke API tokens."""


@token.command()
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    default=["read"],
    help="What it may do; may be repeated. write includes read, admin includes both.",
    show_default=True,
)
@click.option("--collection", "collections", multiple=True, help="A collection it may use; may be repeated. None: all.")
@click.option("--label", default="", help="A note for people: who has it, what for.")
@json_option
def create(scopes: tuple[str, ...], collections: tuple[str, ...], label: str, *, as_json: bool) -> None:
    """Create a token and print it: the only time that it is seen."""
    with opened() as context:
        made = tokens.create(context, list(map(Scope, scopes)), list(collections) or None, label)
    if as_json:
        print_json({"token": made.token, "id": made.id, "scopes": sorted(scopes), "collections": collections or None})
    else:
        click.echo(made.token)


@token.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List tokens; the tokens themselves are not kept."""
    with opened(reads=True) as context:
        rows = tokens.listed(context)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        where = "all collections" if row["all_collections"] else ", ".join(row["collections"]) or "no collection"
        state = " (revoked)" if row["revoked_at"] else ""
        click.echo(f"{row['id']:>4}  {'+'.join(row['scopes']):<12} {where}  {row['label']}{state}")


@token.command()
@click.argument("token_id", type=int)
def revoke(token_id: int) -> None:
    """Revoke the token with this id (see token list)."""
    with opened() as context:
        tokens.revoke(context, token_id)
    click.echo(f"token {token_id} is revoked; servers refuse it within {context.settings.auth_cache_seconds:g} seconds")
