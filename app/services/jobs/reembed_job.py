"""The job that makes all vectors of a collection anew by another model."""

from collections.abc import Callable, Mapping
from pathlib import Path

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.embedding.models import registry
from app.services import records, reembedding
from app.services.context import Context
from app.services.jobs.given import boolean, only, text
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running
from app.services.reembedding import ReembeddingReport, Watch


def _check(context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "model", "drop_unreadable")
    model = text(given, "model", "") or None
    if model is not None:
        registry.describe(model, context.models.options)
    return {"model": model, "drop_unreadable": boolean(given, "drop_unreadable")}


def run(
    context: Context,
    job: Running,
    *,
    unreadable_to: Path | None = None,
    told: Callable[[ReembeddingReport], None] = lambda _: None,
) -> Outcome:
    """Re-embed the collection of a job; a command also has the unreadable ones written, and is told the report."""
    collection = job.collection()
    model = job.parameters.get("model")
    with reembedding.alone(context, collection):
        change = reembedding.start(context, collection, None if model is None else str(model))
        if change is None:
            return Outcome({"switched": False, "model": collection.model, "embedded": 0, "unreadable": 0, "dropped": 0})
        job.phase("embedding", records.count(context, collection))
        job.show(records.count(context, change.next))

        def advance(number: int) -> None:
            job.advance(number)
            job.safe_point()

        def say(step: str) -> None:
            job.phase(step)
            job.safe_point()

        report = reembedding.run(
            context,
            change,
            drop_unreadable=bool(job.parameters.get("drop_unreadable")),
            unreadable_to=unreadable_to,
            watch=Watch(advance, say),
        )
    told(report)
    if not report.switched:
        raise InvalidRequest(_undecided(report))
    context.lookup.forget(collection.name)
    return Outcome(
        {
            "switched": True,
            "model": report.collection.model,
            "embedded": report.embedded,
            "unreadable": report.unreadable,
            "dropped": report.dropped,
        }
    )


def _undecided(report: ReembeddingReport) -> str:
    first = "; ".join(f"{record_id}: {reason}" for record_id, reason in report.examples[:3])
    return (
        f"{report.unreadable} pictures cannot be read ({first}); the old vectors are still in use: bring the pictures"
        " back and resume the job, or ask for one with drop_unreadable, which deletes those records"
    )


REEMBED = Kind(
    "reembed",
    "Makes all vectors anew by the model `model`, while searches go on; `drop_unreadable` deletes records without"
    " a picture that can be read.",
    run,
    _check,
    interruptible=True,
)
