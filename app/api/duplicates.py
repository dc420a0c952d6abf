"""The blueprint of duplicates, `/duplicates/v1/…`: groups, decisions about them, undo, and the trash."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import orjson
from flask import Blueprint, Response, g, request
from pydantic import BeforeValidator, Field, StrictBool

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.parsing import Count, Distance, From, Parameters, Text, body_of, parse
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.tokens import Principal, Scope
from app.services import duplicates as service
from app.services.context import Context
from app.services.duplicates import Applied, Asked, Resolution

PREFIX = "/duplicates/v1"
MOST_GROUPS = 1000
MOST_IDS = 10_000
# Pairs of a group that are answered: those of 50 members at most, the nearest.
_PAIRS = 1225


def _object(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


Ids = Annotated[list[Text], Field(min_length=1, max_length=MOST_IDS)]
RadiusOrScans = Distance | None
Merge = Annotated[dict[str, Any], BeforeValidator(_object)] | None
Rules = list[Any] | None
Page = Annotated[Count, Field(ge=1, le=MOST_GROUPS)]
Before = Annotated[Count, Field(ge=1)] | None
Days = Annotated[Distance, Field(le=36_500)]
Reason = Annotated[Text, Field(max_length=1000)] | None


class Nothing(Parameters):
    """No parameters."""


class GroupsParameters(Parameters):
    """Which groups are asked for, and how the record to keep is suggested."""

    radius: RadiusOrScans = None
    state: Literal["open", "dismissed", "all"] = "open"
    order: Literal["size", "nearness"] = "size"
    record: Text | None = None
    rules: Rules = None
    k: Page = 20
    from_: From = 0
    fields_to_return: Annotated[list[Text], Field(max_length=1000)] = Field(default=["_id"])


class ResolveParameters(Parameters):
    """What is kept and what goes into the trash."""

    keep: Ids
    remove: Ids
    merge: Merge = None
    days: Days = service.TRASH_DAYS
    reason: Reason = None


class PreviewParameters(Parameters):
    """A merge that is only shown."""

    keep: Text
    remove: Ids
    merge: Merge = None


class DismissParameters(Parameters):
    """Records that are no duplicates of each other."""

    records: Ids
    reason: Reason = None


class UndoParameters(Parameters):
    """A decision by its number."""

    decision: Count


class ListParameters(Parameters):
    """A page of a list, those before a number."""

    k: Page = 100
    before: Before = None


class ApplyParameters(Parameters):
    """Groups that are decided by rules."""

    radius: RadiusOrScans = None
    rules: Rules = None
    merge: Merge = None
    chains: StrictBool = False
    dry_run: StrictBool = True


class RemoveParameters(Parameters):
    """Records that go into the trash."""

    records: Ids
    days: Days = service.TRASH_DAYS


class IdsParameters(Parameters):
    """Records by their ids."""

    records: Ids


class PurgeParameters(Parameters):
    """Records in the trash by their ids, or all of them."""

    records: Ids | None = None
    all: StrictBool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who calls, and on which collection."""

    context: Context
    principal: Principal
    collection: Collection

    @property
    def by_whom(self) -> str:
        """The caller as the history names him."""
        return f"token {self.principal.token_id}"


Body = dict[str, Any]


def state(call: Call, _: Nothing) -> Body:
    """Say how far the stored pairs are."""
    found = service.state(call.context, call.collection)
    if found is None:
        return {"stored": False}
    outdated = found.generation != call.collection.generation
    return {
        "stored": True,
        "radius": found.radius,
        "complete": found.completed_at is not None and not outdated,
        "outdated": outdated,
        "pending": found.pending,
        "begun_at": found.begun_at,
        "completed_at": found.completed_at,
    }


def groups(call: Call, given: GroupsParameters) -> Body:
    """List groups of duplicates with their records and direct pairs."""
    asked = Asked(given.radius, given.state, given.order, given.from_, given.k, given.record, given.rules)
    page = service.groups(call.context, call.collection, asked)
    fields = Fields.of(given.fields_to_return)
    ids = [member for group in page.groups for member in group.members]
    known = {} if fields.only_id else _records(call, ids, fields)
    found = []
    for group in page.groups:
        records = [known.get(one, {"_id": one}) for one in group.members]
        pairs = service.pairs(call.context, call.collection, group.members[:50], given.radius, _PAIRS)
        found.append(
            {**asdict(group), "size": len(group.members), "records": records, "pairs": [asdict(one) for one in pairs]}
        )
    return {"groups": found, "group_count": page.total, "record_count": page.records}


def _records(call: Call, ids: Sequence[str], fields: Fields) -> dict[str, Any]:
    found = service.members(call.context, call.collection, ids, fields)
    return {record_id: orjson.Fragment(one.json()) for record_id, one in found.items()}


def resolve(call: Call, given: ResolveParameters) -> Body:
    """Keep some records of a group and move the others into the trash."""
    resolution = Resolution(given.keep, given.remove, given.merge, given.reason)
    return {"decision": service.resolve(call.context, call.collection, resolution, call.by_whom, given.days)}


def preview(call: Call, given: PreviewParameters) -> Body:
    """Show the attributes of the record that is kept before and after a merge."""
    before, after = service.preview(call.context, call.collection, given.keep, given.remove, given.merge or {})
    return {"before": before, "after": after}


def dismiss(call: Call, given: DismissParameters) -> Body:
    """Say that records are no duplicates of each other."""
    return {"decision": service.dismiss(call.context, call.collection, given.records, call.by_whom, given.reason)}


def undo(call: Call, given: UndoParameters) -> Body:
    """Undo a decision."""
    return {"outcomes": service.undo(call.context, call.collection, given.decision, call.by_whom)}


def decisions(call: Call, given: ListParameters) -> Body:
    """List what was decided, the latest first."""
    found = service.history(call.context, call.collection, given.k, given.before)
    return {"decisions": [asdict(one) for one in found], "next": found[-1].decision if len(found) == given.k else None}


def apply(call: Call, given: ApplyParameters) -> Body:
    """Apply the suggestion of rules to all open groups; as long as `dry_run` is not false, nothing is changed."""
    done: list[Applied] = []
    service.apply_suggestions(
        call.context,
        call.collection,
        radius=given.radius,
        rules=given.rules,
        merge=given.merge,
        made_by=call.by_whom,
        dry_run=given.dry_run,
        complete_only=not given.chains,
        report=done.append,
    )
    return {
        "groups": [asdict(one) for one in done],
        "group_count": len(done),
        "removed_count": sum(len(one.members) - 1 for one in done if one.error is None),
        "dry_run": given.dry_run,
    }


def trash(call: Call, given: ListParameters) -> Body:
    """List the records in the trash, the latest first."""
    found, total = service.trashed(call.context, call.collection, given.k, given.before)
    records = [{**asdict(one), "attributes": orjson.Fragment(one.attributes)} for one in found]
    return {"records": records, "record_count": total, "next": found[-1].number if len(found) == given.k else None}


def remove(call: Call, given: RemoveParameters) -> Body:
    """Move records into the trash."""
    return {"removed": service.remove(call.context, call.collection, given.records, call.by_whom, given.days)}


def restore(call: Call, given: IdsParameters) -> Body:
    """Bring records back from the trash."""
    return {"outcomes": service.restore(call.context, call.collection, given.records)}


def purge(call: Call, given: PurgeParameters) -> Body:
    """Delete records in the trash for good."""
    if given.all == (given.records is not None):
        raise InvalidRequest('either name records or say "all": true')
    return {"purged": service.purge(call.context, call.collection, given.records)}


VIEWS: dict[str, tuple[Scope, type[Parameters], Callable[..., Body]]] = {
    "state": (Scope.READ, Nothing, state),
    "groups": (Scope.READ, GroupsParameters, groups),
    "resolve": (Scope.WRITE, ResolveParameters, resolve),
    "preview": (Scope.READ, PreviewParameters, preview),
    "dismiss": (Scope.WRITE, DismissParameters, dismiss),
    "undo": (Scope.WRITE, UndoParameters, undo),
    "decisions": (Scope.READ, ListParameters, decisions),
    "apply": (Scope.WRITE, ApplyParameters, apply),
    "trash": (Scope.READ, ListParameters, trash),
    "trash/remove": (Scope.WRITE, RemoveParameters, remove),
    "trash/restore": (Scope.WRITE, IdsParameters, restore),
    "trash/purge": (Scope.WRITE, PurgeParameters, purge),
}
"""What the paths below the prefix do: what the token must be allowed, the parameters of the body, the view."""


def duplicates(context: Context) -> Blueprint:
    """Return the blueprint of duplicates."""
    made = Blueprint("duplicates", __name__, url_prefix=PREFIX)
    for path, (scope, parameters, view) in VIEWS.items():
        made.add_url_rule(
            f"/{path}", path.replace("/", "_"), _answered(context, scope, parameters, view), methods=["POST"]
        )
    return made


def _answered(
    context: Context, scope: Scope, parameters: type[Parameters], view: Callable[..., Body]
) -> Callable[[], Response]:
    def answer() -> Response:
        principal = principal_of(request, context.lookup)
        collection = collection_of(request, context.lookup, principal, scope, None)
        body = view(Call(context, principal, collection), parse(parameters, body_of(request)))
        return envelope.response(statuses.OK, body, g.request_id, g.started)

    return answer
