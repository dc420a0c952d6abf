"""Jobs on duplicates: one stores the pairs of a collection, one decides about all groups by rules."""

from collections.abc import Mapping

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services import duplicate_bulk, duplicates
from app.services.context import Context
from app.services.jobs.given import boolean, number, only
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running
from app.services.search import NEAR_DUPLICATE_RADIUS


def _check(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "radius", "anew", "model_alone")
    return {
        "radius": number(given, "radius", NEAR_DUPLICATE_RADIUS, 0, duplicates.WIDEST),
        "anew": boolean(given, "anew"),
        "model_alone": boolean(given, "model_alone"),
    }


def _scan(context: Context, job: Running) -> Outcome:
    """Compare what is not compared yet; the scan itself remembers how far it is."""
    job.phase("comparing records")

    def tell(done: int, total: int) -> None:
        job.show(done, total)
        job.safe_point()

    # The job is begun anew after an interruption, and the scan is not: `anew` holds for the first time alone.
    anew = bool(job.parameters["anew"]) and job.position is None
    radius, alone = float(str(job.parameters["radius"])), bool(job.parameters.get("model_alone"))
    if anew:
        duplicates.begin(context, job.collection(), radius, model_alone=alone)
        job.save({"begun": True})
    state = duplicates.scan(context, job.collection(), radius, model_alone=alone, progress=tell)
    return Outcome({"radius": state.radius})


DUPLICATE_SCAN = Kind(
    "duplicate-scan",
    "Stores the pairs of near duplicates of a collection within `radius`; with `anew`, whatever is stored; with"
    " `model_alone`, without those by perceptual hash.",
    _scan,
    _check,
)


def _check_apply(context: Context, collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "radius", "rules", "merge", "chains")
    if not isinstance(given.get("rules"), list):
        raise InvalidRequest(
            'parameters.rules: it is a list, as in ["most_attributes", "oldest"], and must be given; [] keeps the first'
            " id"
        )
    if not isinstance(given.get("merge", {}), dict | None):
        raise InvalidRequest('parameters.merge: it is an object, as in {"price": "min"}')
    radius = None if given.get("radius") is None else number(given, "radius", 0, 0, duplicates.WIDEST)
    rules, merge = given["rules"], given.get("merge")
    if collection is not None:
        try:
            duplicate_bulk.check_plan(context, collection, radius, rules, merge if isinstance(merge, dict) else None)
        except InvalidRequest as error:
            raise InvalidRequest(f"parameters: {error}") from None
    return {"radius": radius, "rules": rules, "merge": merge, "chains": boolean(given, "chains")}


def _apply(context: Context, job: Running) -> Outcome:
    """Apply the suggestion to all open groups; each is a decision of its own, so what is done stays done."""
    collection = job.collection()
    given = job.parameters
    radius, merge = given["radius"], given["merge"]
    within = None if radius is None else float(str(radius))
    job.phase("deciding", duplicates.groups(context, collection, duplicates.Asked(within, limit=1)).total)

    def tell(one: duplicate_bulk.Applied) -> None:
        if one.error is not None:
            job.reject(job.progress.done + 1, one.keep, 409, one.error)
        job.advance(1)
        job.safe_point()

    decided = duplicate_bulk.apply_suggestions(
        context,
        collection,
        radius=within,
        rules=given["rules"],
        merge=merge if isinstance(merge, dict) else None,
        made_by=f"job {job.job.id}",
        dry_run=False,
        complete_only=not given["chains"],
        report=tell,
    )
    return Outcome({"groups": decided})


DUPLICATE_APPLY = Kind(
    "duplicate-apply",
    "Keeps of each open group of duplicates the record that `rules` suggest, and moves the others into the trash.",
    _apply,
    _check_apply,
)
