"""`lookalike demo`: a catalogue to look at, a token, a curl line, and the server."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from app.cli.common import opened
from app.cli.listening import check_free, here_alone, url_of
from app.cli.load import load_with_progress
from app.cli.saying import IntRange, say
from app.cli.serve import run
from app.config import Settings
from app.demo.catalogue import RECORDS, catalogue, unpack
from app.demo.planted import CHAINED, chain
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound
from app.domain.records import Fields
from app.domain.services import SERVICES
from app.domain.tokens import Scope
from app.domain.wording import counted
from app.services import collections, duplicates, maps, records, tokens
from app.services.context import Context
from app.services.inserting import insert
from app.services.jobs import asking
from app.services.jobs.map_job import MAP
from app.services.search import NEAR_DUPLICATE_RADIUS

_SAMPLE = "demo"
_OWN = "photos"
_WHOLE = "console"
_WHOLE_DAYS = 30


@click.command()
@click.option(
    "--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of your own pictures."
)
@click.option("--port", type=IntRange(1, 65535), help="Port to serve on.  [default: 8000]")
@click.option(
    "--prepare-only", is_flag=True, help="Make the collection and the token, print the curl line, do not serve."
)
def demo(photos: Path | None, port: int | None, *, prepare_only: bool) -> None:
    """Load a sample catalogue (or a folder of your own) and serve it."""
    settings = Settings(**({"port": port} if port else {}))
    if not prepare_only:
        check_free(settings)
    with opened(settings) as context:
        name, service = (_OWN, "photo") if photos else (_SAMPLE, "products")
        try:
            collections.get(context, name)
        except CollectionNotFound:
            product_field = None if photos else "product_id"
            collections.create(context, name, service, keep_images=photos is None, product_field=product_field)
        source = photos or _sample(settings)
        report = load_with_progress(context, name, source)
        found = collections.get(context, name)
        if photos is None and duplicates.state(context, found) is None:
            _plant(context, found)
        if maps.state(context, found) is None:
            asking.start(context, MAP, found, {})  # the server makes it, beside its first answers
        say(f"collection {name!r}: {records.count(context, found)} pictures", err=True)
        if report.failed:
            first = report.failed[0]
            told = f"{len(report.failed)} pictures could not be read, e.g. {first.place}: {first.reason}"
            say(told, err=True)
        click.echo(_guide(settings, context, name, service))
    if not prepare_only:
        run(settings)


def _plant(context: Context, collection: Collection) -> None:
    """Add copies of a photo that make a chain, and find the duplicates, so that there is a review to look at."""
    product = next(one for one in catalogue() if one.id == CHAINED)
    copies = chain(product)
    for one in copies:
        picture = base64.b64encode(one.data).decode()
        insert(context, collection, [{**one.attributes, "_id": one.id, "_base64": picture}], Fields())
    say(f"{counted(len(copies), 'copy', 'copies')} of {CHAINED} added, for the review of duplicates", err=True)
    duplicates.scan(context, collection, NEAR_DUPLICATE_RADIUS)


def _token(context: Context, name: str) -> str:
    """Return the demo's token for a collection."""
    return _kept(context, name, f"demo, collection {name}", [name], None)


def _whole_token(context: Context) -> str | None:
    """Return a token for all screens of the console; None where others than who runs the demo would be concerned.

    It may do everything, as looking after the server takes it. So there is none where the server is reached from other
    machines, or where its database is not its own but one that holds more.
    """
    settings = context.settings
    if settings.database_url or settings.admin_database_url or not here_alone(settings):
        return None
    return _kept(context, _WHOLE, "demo, console", None, datetime.now(UTC) + timedelta(days=_WHOLE_DAYS))


def _kept(context: Context, name: str, label: str, only: list[str] | None, expires_at: datetime | None) -> str:
    """Return the token of the last run, as long as it is good for these collections, else a new one with this label.

    Only its owner may read the file that it is kept in, so that each run need not leave one more administrator behind.
    """
    kept = context.settings.home.expanduser() / f"{name}.token"
    if kept.is_file():
        token = kept.read_text("utf-8").strip()
        principal = context.lookup.principal(token)
        wanted = None if only is None else frozenset(collections.get(context, one).id for one in only)
        if principal is not None and principal.collections == wanted:
            return token
        kept.unlink()
    token = tokens.create(context, [Scope.ADMIN], only, label, expires_at=expires_at).token
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch(mode=0o600, exist_ok=False)
    kept.write_text(f"{token}\n", "utf-8")
    return token


def _sample(settings: Settings) -> Path:
    folder = settings.home.expanduser() / "demo-catalogue"
    lines = folder / RECORDS
    return lines if lines.exists() else unpack(folder)


def _guide(settings: Settings, context: Context, name: str, service: str) -> str:
    path = SERVICES[service].prefixes[0]
    first = records.any_id(context, collections.get(context, name))
    body = json.dumps({"query_record": {"_id": first}, "k": 5, "fields_to_return": ["*"]})
    token, whole = _token(context, name), _whole_token(context)
    may = (
        f"The link shows all screens: its token may do everything on this server, for {_WHOLE_DAYS} days. Keep it to\n"
        "yourself; the screen Access revokes it."
        if whole
        else "The link has your token, below, as others reach this server or its database. Access and Operations\n"
        "take one of `lookalike token create --scope admin`."
    )
    return f"""
The console, signed in:

{url_of(settings)}/console/sign-in#{whole or token}

{may}

Your token: {token}
It may do everything with the collection {name!r}, and nothing else.

Find what looks like {first}:

curl -s {url_of(settings)}/{path}/v2/visualKNN \\
  -H 'Authorization: Token {token}' -H 'collection-id: {name}' \\
  -H 'Content-Type: application/json' \\
  -d '{body}'
"""
