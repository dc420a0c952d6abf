"""A decision about all groups of duplicates at once: the suggestion of rules, shown first, then applied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.db import decisions as table
from app.domain.collections import Collection
from app.domain.errors import Conflict, InvalidRequest
from app.domain.records import Json
from app.services.context import Context
from app.services.duplicates import Asked, Group, Resolution, check_within, groups, preview, resolve, state

# Groups that are looked at together.
_BULK = 100


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a group in a bulk decision: `decision` is None in a dry run, and where it was passed over."""

    members: list[str]
    keep: str
    reason: str
    decision: int | None
    error: str | None = None


def apply_suggestions(
    context: Context,
    collection: Collection,
    *,
    radius: float | None,
    rules: Json,
    merge: Mapping[str, Json] | None,
    made_by: str,
    dry_run: bool,
    complete_only: bool = True,
    report: Callable[[Applied], None],
) -> int:
    """Apply the suggestion to all open groups within a radius; return the number of groups.

    Each group is decided in a transaction of its own, and can be undone by itself. A group that somebody else decides
    about meanwhile, or whose merged attributes would be too large, is passed over and reported with the reason.

    Args:
        context: the parts that services work with.
        collection: whose groups are decided.
        radius: on the API's scale; None: that of the scan.
        rules: by which the record to keep is suggested; [] means the first by its id.
        merge: rules by which attributes are merged; None: they are not.
        made_by: who decides.
        dry_run: whether nothing is changed.
        complete_only: whether chains, whose ends are not within the radius of each other, are passed over.
        report: is called with what became of each group.

    Raises:
        Conflict: the pairs are not stored, or not complete.
        InvalidRequest: the radius is beyond that of the scan, no rules are given, or a rule is none.

    """
    check_plan(context, collection, radius, rules, merge)
    done = 0
    passed = 0
    while True:
        page = groups(
            context, collection, Asked(radius=radius, order="nearness", offset=passed, limit=_BULK, rules=rules)
        )
        for group in page.groups:
            if group.suggestion is None or (complete_only and not group.complete):
                passed += 1
                continue
            applied = _apply(context, collection, group, merge, made_by, dry_run=dry_run)
            passed += applied.decision is None
            done += 1
            report(applied)
        if len(page.groups) < _BULK:
            return done


def check_plan(
    context: Context, collection: Collection, radius: float | None, rules: Json, merge: Mapping[str, Json] | None
) -> None:
    """Refuse a bulk decision that cannot be made, before it is begun; pairs that are not stored yet may be later.

    Raises:
        InvalidRequest: no rules are given, a rule is none, of the merge or of what is kept, or the radius is beyond
            that of the scan.

    """
    if rules is None:
        raise InvalidRequest(
            'rules: say which record of each group is kept, as in ["most_attributes", "oldest"]; [] keeps the first id'
        )
    table.check_rules(context.db, collection, rules)
    if merge is not None:
        table.check_merge(context.db, merge)
    begun = state(context, collection)
    if radius is not None and begun is not None:
        check_within(radius, begun)


def _apply(
    context: Context,
    collection: Collection,
    group: Group,
    merge: Mapping[str, Json] | None,
    made_by: str,
    *,
    dry_run: bool,
) -> Applied:
    keep, reason = str(group.suggestion), str(group.reason)
    given = Resolution([keep], [one for one in group.members if one != keep], merge, reason)
    decision = None
    try:
        if not dry_run:
            decision = resolve(context, collection, given, made_by)
        elif merge is not None:
            preview(context, collection, given)
    except (Conflict, InvalidRequest) as error:
        return Applied(group.members, keep, reason, None, str(error))
    return Applied(group.members, keep, reason, decision)
