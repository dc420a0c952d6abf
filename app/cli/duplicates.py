"""`lookalike duplicates …`: near duplicates are found, reviewed, decided about, and brought back."""

import sys
from dataclasses import asdict

import click
import orjson

from app.cli.common import json_option, opened, print_json
from app.cli.progress import progress_bar
from app.cli.saying import FloatRange, IntRange, say
from app.cli.tuning import curator, tune
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Fields, Json
from app.domain.wording import counted
from app.services import collections, duplicate_bulk, pairs
from app.services import duplicates as service
from app.services import listing as listings
from app.services.duplicate_bulk import Applied
from app.services.duplicates import Asked, Order, Resolution, State
from app.services.search import NEAR_DUPLICATE_RADIUS


class Duplicates(click.Group):
    """A group whose first word may be a collection, whose pairs are printed then."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant."""
        if args and self.get_command(ctx, args[0]) is None:
            args = ["pairs", *args]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; where it lacks the name of a collection, which may be its own name, say how to give it."""
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            if error.param is None or error.param.name != "collection" or error.ctx is None:
                raise
            word = error.ctx.info_name
            raise click.UsageError(
                f"lookalike duplicates {word} takes a collection. The pairs of one that is called {word!r}:"
                f" lookalike duplicates pairs {word}",
                error.ctx,
            ) from None


@click.group(cls=Duplicates)
def duplicates() -> None:
    """Find near duplicates, review groups of them, decide what is kept, and bring back what was removed.

    `lookalike duplicates NAME` prints the pairs of a collection, as `pairs` does.
    """


duplicates.add_command(tune)
_OUTCOMES = {
    "restored": "restored",
    "taken": "not restored: a record of this id was stored since",
    "other_model": "not restored: the vectors were made anew since; insert its picture again",
    "expired": "not restored: its _expires_at has passed",
    "stored": "stored already; it is not in the trash",
    "absent": "absent: neither in the trash nor stored",
}
"""What is said of each outcome of a restore."""
radius_option = click.option("--radius", type=FloatRange(min=0), help="Largest distance; that of the scan if unset.")
rules_option = click.option(
    "--rules", help='Rules of what is kept, as JSON, e.g. ["most_attributes", {"lowest": "price"}].'
)
merge_option = click.option(
    "--merge", help="Merge attributes into the record that is kept, by rules as JSON; {} for the usual ones."
)


def _json(text: str | None, name: str) -> Json:
    return loads(text, name) if text is not None else None


def _merge(text: str | None) -> dict[str, Json] | None:
    given = _json(text, "--merge")
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest('--merge takes an object, as in {"price": "min"}')
    return given


@duplicates.command("pairs")
@click.argument("collection")
@click.option(
    "--radius",
    type=FloatRange(min=0),
    default=NEAR_DUPLICATE_RADIUS,
    show_default=True,
    help="Largest distance of a pair.",
)
@click.option("--limit", type=IntRange(min=1), default=1_000_000, show_default=True, help="Pairs at most.")
@click.option("--filter", "filter_", help="A filter in MongoDB's format, as JSON; without it, every record.")
def pairs_(collection: str, radius: float, limit: int, filter_: str | None) -> None:
    """Print the pairs of records of COLLECTION that show the same picture, nearest first, a line of JSON each."""
    with opened(reads=True) as context:
        found = collections.get(context, collection)
        listing = listings.of(found, Fields(), _json(filter_, "--filter"))
        with progress_bar() as progress:
            task = progress.add_task("comparing records", total=None)

            def tell(done: int, total: int) -> None:
                progress.update(task, description=f"comparing {total} records", total=total, advance=done)

            found_pairs = pairs.all_pairs(context, listing, radius, limit, tell)
    for pair in found_pairs:
        say(orjson.dumps({"records": pair.ids, "distance": round(pair.distance, 6)}).decode())
    say(f"{counted(len(found_pairs), 'pair')} within {radius:g} by the model", err=True)


@duplicates.command()
@click.argument("collection")
@click.option(
    "--radius",
    type=FloatRange(min=0),
    default=NEAR_DUPLICATE_RADIUS,
    show_default=True,
    help="Pairs within it are stored; groups can be asked for within any lesser one.",
)
@click.option("--anew", is_flag=True, help="Begin again, whatever is stored.")
@click.option("--model-alone", is_flag=True, help="Store no pairs by perceptual hashes of the thumbnails.")
@json_option
def scan(collection: str, radius: float, *, anew: bool, model_alone: bool, as_json: bool) -> None:
    """Store the pairs of near duplicates of COLLECTION, and keep them up to date from then on.

    Goes on where an earlier scan stopped. Once it is complete, only what was written since is compared.
    """
    with opened() as context, progress_bar() as progress:
        task = progress.add_task("comparing records", total=None)
        state = service.scan(
            context,
            collections.get(context, collection),
            radius,
            anew=anew,
            model_alone=model_alone,
            progress=lambda done, total: progress.update(task, total=total, completed=done),
        )
    if as_json:
        print_json({name: value for name, value in asdict(state).items() if name != "noted_to"})
        return
    say(f"the pairs of {collection} within {state.radius:g} are stored: lookalike duplicates groups {collection}")


@duplicates.command()
@click.argument("collection")
@radius_option
@click.option(
    "--state", type=click.Choice(["open", "dismissed", "all"]), default="open", show_default=True, help="Which groups."
)
@click.option(
    "--order",
    type=click.Choice(["size", "nearness", "age"]),
    default="size",
    show_default=True,
    help="Which come first.",
)
@click.option("--from", "offset", type=IntRange(min=0), default=0, help="Groups that are passed over.")
@click.option("--limit", type=IntRange(1, 10_000), default=20, show_default=True, help="Groups at most.")
@click.option("--record", help="Only the group of this record.")
@rules_option
@json_option
def groups(
    collection: str,
    radius: float | None,
    state: State,
    order: Order,
    offset: int,
    limit: int,
    record: str | None,
    rules: str | None,
    *,
    as_json: bool,
) -> None:
    """List groups of near duplicates of COLLECTION, with the record that the rules suggest to keep."""
    with opened() as context:
        asked = Asked(radius, state, order, offset, limit, record, _json(rules, "--rules"))
        page = service.groups(context, collections.get(context, collection), asked)
    if as_json:
        print_json({"groups": [asdict(group) for group in page.groups], "total": page.total, "records": page.records})
        return
    say(f"{counted(page.total, 'group')} of {counted(page.records, 'record')}")
    if page.groups:
        say(" size   weakest  members")
    for group in page.groups:
        kind = "all alike" if group.complete else "a chain"
        reason = "no rule decided: the first id" if group.reason == "first_id" else group.reason
        keep = f"; keep {group.suggestion} ({reason})" if group.suggestion is not None else ""
        gone = f"; dismissed by decision {group.decision}" if group.decision is not None else ""
        say(f"{len(group.members):>5}  {group.weakest:8.4f}  {kind}: {', '.join(group.members[:20])}{keep}{gone}")


@duplicates.command()
@click.argument("collection")
@click.option("--keep", multiple=True, required=True, help="A record that stays; may be repeated.")
@click.option("--remove", multiple=True, required=True, help="A record that goes into the trash; may be repeated.")
@merge_option
@click.option("--dry-run", is_flag=True, help="Change nothing; with --merge, show the attributes before and after.")
@click.option("--days", type=FloatRange(0, 36_500), default=service.TRASH_DAYS, show_default=True, help="In the trash.")
@json_option
def resolve(
    collection: str,
    keep: tuple[str, ...],
    remove: tuple[str, ...],
    merge: str | None,
    days: float,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Keep some records of a group and move the others into the trash."""
    given = Resolution(keep, remove, _merge(merge))
    with opened() as context:
        found = collections.get(context, collection)
        if dry_run:
            before, after = service.preview(context, found, given)
            print_json({"keep": keep, "remove": remove, "before": before, "after": after})
            return
        decision = service.resolve(context, found, given, curator(), days)
    if as_json:
        print_json({"decision": decision})
        return
    say(f"decision {decision}; undo it: lookalike duplicates undo {collection} {decision}")


@duplicates.command()
@click.argument("collection")
@click.argument("records", nargs=-1, required=True)
@json_option
def dismiss(collection: str, records: tuple[str, ...], *, as_json: bool) -> None:
    """Say that RECORDS are no duplicates of each other: exactly these, so a group that grows is asked about again."""
    with opened() as context:
        decision = service.dismiss(context, collections.get(context, collection), records, curator())
    if as_json:
        print_json({"decision": decision})
        return
    say(f"decision {decision}; undo it: lookalike duplicates undo {collection} {decision}")


@duplicates.command()
@click.argument("collection")
@click.argument("decision", type=IntRange(1, 2**63 - 1))
@json_option
def undo(collection: str, decision: int, *, as_json: bool) -> None:
    """Undo a decision: what it removed comes back, what it merged is taken back."""
    with opened() as context:
        outcomes = service.undo(context, collections.get(context, collection), decision, curator())
    _tell_outcomes(outcomes, as_json=as_json)


@duplicates.command()
@click.argument("collection")
@click.option("--limit", type=IntRange(1, 10_000), default=50, show_default=True, help="Decisions at most.")
@json_option
def history(collection: str, limit: int, *, as_json: bool) -> None:
    """List what was decided, the latest first."""
    with opened(reads=True) as context:
        found = service.history(context, collections.get(context, collection), limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        undone = f", undone by {one.undone_by}" if one.undone_at is not None else ""
        if one.restored and not undone:
            undone = f"; {', '.join(one.restored)} came back"
        what = f"removed {', '.join(one.removed)} of" if one.removed else "dismissed"
        say(f"{one.decision:>6}  {one.made_at:%Y-%m-%d %H:%M}  {one.made_by}: {what} {', '.join(one.members)}{undone}")


@duplicates.command()
@click.argument("collection")
@radius_option
@rules_option
@merge_option
@click.option("--chains", is_flag=True, help="Decide about chains, too, whose ends are not alike.")
@click.option("--yes", is_flag=True, help="Decide. Without it, only say what would be decided.")
def apply(
    collection: str, radius: float | None, rules: str | None, merge: str | None, *, chains: bool, yes: bool
) -> None:
    """Apply the suggestion of the rules to all open groups of COLLECTION; a line of JSON for each."""

    def tell(one: Applied) -> None:
        say(orjson.dumps(asdict(one)).decode())

    with opened() as context:
        done = duplicate_bulk.apply_suggestions(
            context,
            collections.get(context, collection),
            radius=radius,
            rules=_json(rules, "--rules"),
            merge=_merge(merge),
            made_by=curator(),
            dry_run=not yes,
            complete_only=not chains,
            report=tell,
        )
    groups = counted(done, "group")
    say(groups if yes else f"{groups}; nothing was changed: --yes decides", err=True)


@duplicates.command()
@click.argument("collection")
@click.option("--limit", type=IntRange(1, 10_000), default=50, show_default=True, help="Records at most.")
@json_option
def trash(collection: str, limit: int, *, as_json: bool) -> None:
    """List the records in the trash, the latest first."""
    with opened(reads=True) as context:
        found, total = service.trashed(context, collections.get(context, collection), limit)
    if as_json:
        print_json({"records": [asdict(one) for one in found], "total": total})
        return
    say(counted(total, "record"))
    for one in found:
        say(f"{one.id:<32}  removed {one.removed_at:%Y-%m-%d %H:%M} by {one.removed_by}, until {one.purge_at:%Y-%m-%d}")


@duplicates.command()
@click.argument("collection")
@click.argument("records", nargs=-1, required=True)
@json_option
def restore(collection: str, records: tuple[str, ...], *, as_json: bool) -> None:
    """Bring RECORDS back from the trash."""
    with opened() as context:
        outcomes = service.restore(context, collections.get(context, collection), records)
    _tell_outcomes(outcomes, as_json=as_json)


@duplicates.command()
@click.argument("collection")
@click.argument("records", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is in the trash of the collection.")
def purge(collection: str, records: tuple[str, ...], *, everything: bool) -> None:
    """Delete RECORDS in the trash for good."""
    if everything == bool(records):
        raise click.UsageError("name records, or give --all")
    with opened() as context:
        number = service.purge(context, collections.get(context, collection), None if everything else records)
    if records and not number:
        say("none of these is in the trash", err=True)
        sys.exit(1)
    say(f"deleted {counted(number, 'record')} for good")


@duplicates.command()
@click.argument("collection")
def forget(collection: str) -> None:
    """Forget the stored pairs of COLLECTION, and note changes no more; decisions and the trash stay."""
    with opened() as context:
        service.forget(context, collections.get(context, collection))
    say(f"the pairs of {collection} are not stored any more")


def _tell_outcomes(outcomes: dict[str, str], *, as_json: bool) -> None:
    """Say what became of records that were to come back; one that is not there fails the command."""
    if as_json:
        print_json(outcomes)
    else:
        for record_id, outcome in outcomes.items():
            say(f"{record_id}: {_OUTCOMES[outcome]}")
    if not set(outcomes.values()) <= {"restored", "stored"}:
        sys.exit(1)
