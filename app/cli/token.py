"""`lookalike token …`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from app.cli.common import json_option, opened, print_json
from app.cli.saying import IntRange, say
from app.domain.moments import moment_of, while_of
from app.domain.tokens import Limits, Scope
from app.services import tokens

_LIMITS = {
    "requests_per_second": "requests a second",
    "pictures_per_second": "pictures a second",
    "concurrent_searches": "searches at once",
    "body_bytes": "bytes a body",
    "batch_records": "records a request",
}
_OPTIONS = {name.replace("_", "-"): name for name in _LIMITS}
_id = click.argument("token_id", type=IntRange(1, 2**31 - 1))


def _expires(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option that says when a token expires."""

    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
        return None if text is None else moment_of(text, "--expires")

    told = "When it expires: a while from now, as 90d or 12h, or a moment, as 2030-01-31T12:00:00Z."
    return click.option("--expires", callback=read, help=told)(command)


def _limits(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a token's limits."""
    command = click.option("--batch-records", type=int, help="Records in one request at most.")(command)
    command = click.option("--body-bytes", type=int, help="Bytes of a request body at most.")(command)
    command = click.option("--concurrent-searches", type=int, help="Searches at once, in each server.")(command)
    command = click.option("--pictures-per-second", type=float, help="Pictures a second, in each server.")(command)
    return click.option("--requests-per-second", type=float, help="Requests a second, in each server.")(command)


@click.group()
def token() -> None:
    """Create, list, change, rotate and revoke API tokens."""


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
@click.option("--label", default="", help="A name for people: who has it, what for.")
@_expires
@_limits
@json_option
def create(
    scopes: tuple[str, ...],
    collections: tuple[str, ...],
    label: str,
    expires: datetime | None,
    *,
    as_json: bool,
    **limits: Any,
) -> None:
    """Create a token and print it: the only time that it is seen."""
    given = Limits(**limits)
    with opened() as context:
        made = tokens.create(
            context,
            list(map(Scope, scopes)),
            list(collections) or None,
            label,
            expires_at=expires,
            limits=given,
        )
    if as_json:
        told = {"token": made.token, "id": made.id, "scopes": sorted(scopes), "collections": collections or None}
        print_json({**told, "expires_at": made.expires_at, **asdict(given)})
    else:
        say(made.token)


@token.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List tokens: their state, when they expire, were used last, and their limits; the tokens are not kept."""
    with opened(reads=True) as context:
        rows = tokens.listed(context)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        where = "all collections" if row["all_collections"] else ", ".join(row["collections"]) or "no collection"
        say(f"{row['id']:>4}  {'+'.join(row['scopes']):<12} {where}  {row['label']} ({_told(row)})")


def _told(row: Mapping[str, Any]) -> str:
    """Return in words what is known of a token beside its rights."""
    parts = [row["state"]] if row["state"] != "good" else []
    if row["state"] == "good" and row["expires_at"]:
        parts.append(f"expires {row['expires_at']:%Y-%m-%d %H:%M}")
    parts.append(f"used {row['last_used_at']:%Y-%m-%d %H:%M}" if row["last_used_at"] else "never used")
    if row["replaces"]:
        parts.append(f"in place of {row['replaces']}")
    parts += [f"{row[name]:.15g} {said}" for name, said in _LIMITS.items() if row[name]]
    return ", ".join(parts)


@token.command()
@_id
@click.option("--label", help="Another name for people.")
@_expires
@click.option("--never-expires", "endless", is_flag=True, help="It expires no more.")
@_limits
@click.option(
    "--no-limit", "free", multiple=True, type=click.Choice(list(_OPTIONS)), help="Drop this limit of its own."
)
def change(
    token_id: int, label: str | None, expires: datetime | None, free: tuple[str, ...], *, endless: bool, **limits: Any
) -> None:
    """Change the label, the expiry or the limits of the token with this id; servers follow within some seconds."""
    if endless and expires:
        raise click.UsageError("give --expires or --never-expires, not both")
    changes: dict[str, object] = {name: value for name, value in limits.items() if value is not None}
    if both := sorted(changes.keys() & {_OPTIONS[name] for name in free}):
        raise click.UsageError(f"{both[0]} is given, and dropped by --no-limit")
    changes |= {_OPTIONS[name]: None for name in free}
    changes |= {} if label is None else {"label": label}
    changes |= {"expires_at": expires} if expires or endless else {}
    with opened() as context:
        tokens.change(context, token_id, changes)
    say(f"token {token_id} is changed; servers follow within {context.settings.auth_cache_seconds:g} seconds")


@token.command()
@_id
@click.option("--grace", default="1d", show_default=True, help="How long the old one works on, as 12h; 0s: no longer.")
@_expires
@json_option
def rotate(token_id: int, grace: str, expires: datetime | None, *, as_json: bool) -> None:
    """Make a token in the place of the one with this id, and print it; the old one works on for the grace.

    The new one may do what the old one may, and lives as long as that was made to, unless --expires says otherwise.
    """
    length = while_of(grace, "--grace")
    with opened() as context:
        made = tokens.rotate(context, token_id, length, expires)
    if as_json:
        print_json({"token": made.token, "id": made.id, "replaces": token_id, "expires_at": made.expires_at})
        return
    say(made.token)
    until = f"works on for {grace}" if length else "is revoked"
    say(f"token {made.id} is made; token {token_id} {until}", err=True)


@token.command()
@_id
def revoke(token_id: int) -> None:
    """Revoke the token with this id (see token list)."""
    with opened() as context:
        tokens.revoke(context, token_id)
    say(f"token {token_id} is revoked; servers refuse it within {context.settings.auth_cache_seconds:g} seconds")
