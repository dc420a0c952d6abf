"""The blueprint of duplicates, `/duplicates/v1/…`: groups, decisions about them, undo, and the trash."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from flask import Blueprint, jsonify, request

from app.api import duplicates_answers as answers
from app.api.duplicates_document import document
from app.api.duplicates_parameters import (
    ApplyParameters,
    DismissParameters,
    GroupsParameters,
    IdsParameters,
    JudgeParameters,
    ListParameters,
    NoParameters,
    PreviewParameters,
    PurgeParameters,
    RemoveParameters,
    ResolveParameters,
    TunePairsParameters,
    TuneReportParameters,
    UndoParameters,
)
from app.api.views import Call, View, add
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.services import duplicate_bulk, duplicate_tuning
from app.services import duplicates as service
from app.services.context import Context
from app.services.duplicate_bulk import Applied
from app.services.duplicate_tuning import Judgement
from app.services.duplicates import Asked, Resolution

PREFIX = "/duplicates/v1"
# Pairs of a group that are answered: those of 50 members at most, the nearest.
_PAIRS = 1225


Body = dict[str, Any]


def state(call: Call, _: NoParameters) -> Body:
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
    resolution = Resolution(given.keep, given.remove, given.merge, given.reason, given.open)
    return {"decision": service.resolve(call.context, call.collection, resolution, call.by_whom, given.days)}


def preview(call: Call, given: PreviewParameters) -> Body:
    """Show the attributes of the record that is kept before and after a merge."""
    resolution = Resolution([given.keep], given.remove, given.merge or {})
    before, after = service.preview(call.context, call.collection, resolution)
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
    duplicate_bulk.apply_suggestions(
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


def tune_pairs(call: Call, given: TunePairsParameters) -> Body:
    """Draw pairs to be judged, spread over all distances, in random order."""
    drawn = duplicate_tuning.draw(call.context, call.collection, given.k)
    return {"pairs": [{"one": one, "other": other} for one, other in drawn]}


def tune_judge(call: Call, given: JudgeParameters) -> Body:
    """Say of pairs whether they show the same picture."""
    judged = [Judgement(one.one, one.other, one.same) for one in given.judgements]
    return {"judged": duplicate_tuning.judge(call.context, call.collection, judged, call.by_whom)}


def tune_report(call: Call, given: TuneReportParameters) -> Body:
    """Tell precision and recall for radii by what was judged, and the widest radius of a wanted precision."""
    told = duplicate_tuning.report(call.context, call.collection, given.precision)
    return {
        "candidates": [asdict(one) for one in told.candidates],
        "suggested": told.suggested,
        "pair_count": told.pairs,
        "judged_count": told.judged,
    }


VIEWS: dict[str, View] = {
    "state": View(Scope.READ, NoParameters, state, answers.StateAnswer),
    "groups": View(Scope.READ, GroupsParameters, groups, answers.GroupsAnswer),
    "resolve": View(Scope.WRITE, ResolveParameters, resolve, answers.DecisionAnswer),
    "preview": View(Scope.READ, PreviewParameters, preview, answers.PreviewAnswer),
    "dismiss": View(Scope.WRITE, DismissParameters, dismiss, answers.DecisionAnswer),
    "undo": View(Scope.WRITE, UndoParameters, undo, answers.OutcomesAnswer),
    "decisions": View(Scope.READ, ListParameters, decisions, answers.DecisionsAnswer),
    "apply": View(Scope.WRITE, ApplyParameters, apply, answers.ApplyAnswer),
    "trash": View(Scope.READ, ListParameters, trash, answers.TrashAnswer),
    "trash/remove": View(Scope.WRITE, RemoveParameters, remove, answers.RemovedAnswer),
    "trash/restore": View(Scope.WRITE, IdsParameters, restore, answers.OutcomesAnswer),
    "tune/pairs": View(Scope.READ, TunePairsParameters, tune_pairs, answers.TunePairsAnswer),
    "tune/judge": View(Scope.WRITE, JudgeParameters, tune_judge, answers.JudgedAnswer),
    "tune/report": View(Scope.READ, TuneReportParameters, tune_report, answers.TuneReportAnswer),
    "trash/purge": View(Scope.WRITE, PurgeParameters, purge, answers.PurgedAnswer),
}
"""What the paths below the prefix do: the token's right, the parameters of the body, the view, its answer."""


def duplicates(context: Context) -> Blueprint:
    """Return the blueprint of duplicates."""
    made = Blueprint("duplicates", __name__, url_prefix=PREFIX)
    made.add_url_rule(
        "/openapi.json", "document", lambda: jsonify(document(VIEWS, request.script_root)), methods=["GET"]
    )
    add(made, context, VIEWS)
    return made
