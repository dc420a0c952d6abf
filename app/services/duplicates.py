"""Duplicates as a workflow: pairs that are kept up to date, groups, decisions about them, and the trash."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.db import decisions as table
from app.db import duplicates as stored
from app.db import hashes, records
from app.db.decisions import Decision, Group, Order, Page, Pair, Resolution, State, Trashed
from app.db.duplicates import ScanState
from app.domain.collections import Collection
from app.domain.errors import Conflict, InvalidRequest
from app.domain.records import Fields, Found, Json
from app.embedding.pictures.fingerprint import complements, fingerprint
from app.services.context import Context
from app.services.indexing import maintain

__all__ = ["Decision", "Group", "Order", "Page", "Pair", "Resolution", "ScanState", "State", "Trashed"]

TRASH_DAYS = 30.0
WIDEST = 1e6
"""The largest radius of a scan, beyond that of any model's scale."""
# Records in the trash that one transaction deletes for good.
_PURGED = 500


def scan(
    context: Context,
    collection: Collection,
    radius: float,
    *,
    anew: bool = False,
    model_alone: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ScanState:
    """Store the pairs of near duplicates of a collection, and keep them up to date from then on.

    A scan that was interrupted goes on where it was; one that is complete only compares what was written since.

    Args:
        context: the parts that services work with.
        collection: whose records are compared.
        radius: within which pairs are stored, on the API's scale; a group can be asked for within any lesser one.
        anew: whether to begin again, whatever is stored.
        model_alone: whether perceptual hashes of the thumbnails are no evidence; they are none beside a model that is a
            hash, or looks at colours alone.
        progress: is called with the number of records done with, and of all; what it raises ends the scan.

    Raises:
        MissingRights: the database's role does not own the tables.
        InvalidRequest: the radius is none, or another scan of the collection began meanwhile.

    """
    _check_radius(radius, WIDEST)
    begun = stored.state(context.db, collection)
    wanted = radius, collection.generation, not model_alone and complements(collection.model)
    if anew or begun is None or (begun.radius, begun.generation, begun.hashes) != wanted:
        stored.begin(context.db, collection, radius, hashes=wanted[2])
        begun = _state(context, collection)
    if begun.completed_at is None:
        if begun.hashes and begun.compared_to is None:  # what is written later gets its hash when it is compared
            total = records.count(context.db, collection)
            hashes.make_all(context.db, collection, fingerprint, lambda _: progress(0, total))
        stored.scan(context.db, collection, begun, progress)
    return refresh(context, collection)


def begin(context: Context, collection: Collection, radius: float, *, model_alone: bool = False) -> None:
    """Forget the stored pairs and begin to store them within a radius; `scan` does it.

    Raises:
        MissingRights: the database's role does not own the tables.

    """
    _check_radius(radius, WIDEST)
    stored.begin(context.db, collection, radius, hashes=not model_alone and complements(collection.model))


def _check_radius(radius: float, widest: float) -> None:
    if not 0 <= radius <= widest:  # which no NaN is
        raise InvalidRequest(f"the radius is a number, 0 to {widest:g}")


def refresh(context: Context, collection: Collection) -> ScanState:
    """Compare what was written since; return how far the pairs are then.

    Raises:
        Conflict: the pairs are not stored, the scan is not complete, or the vectors were made anew since.

    """
    begun = _usable(context, collection)
    if begun.pending:
        while stored.refresh(context.db, collection, begun, fingerprint):
            pass
        begun = _state(context, collection)
    return begun


def refreshed(context: Context, collection: Collection, radius: float) -> bool:
    """Compare what was written since, where all pairs within a radius are stored; return whether they are."""
    begun = stored.state(context.db, collection)
    if begun is None or begun.completed_at is None or begun.generation != collection.generation:
        return False
    if radius > begun.radius:
        return False
    refresh(context, collection)
    return True


def forget(context: Context, collection: Collection) -> bool:
    """Forget the stored pairs, and note changes no more; decisions and the trash stay."""
    return stored.forget(context.db, collection)


def state(context: Context, collection: Collection) -> ScanState | None:
    """Return how far the stored pairs are; None where none are stored."""
    return stored.state(context.db, collection)


def _state(context: Context, collection: Collection) -> ScanState:
    begun = stored.state(context.db, collection)
    if begun is None:
        raise Conflict(
            f"the pairs of {collection.name!r} are not stored: lookalike duplicates scan {collection.name} stores them,"
            " and so does a job of the kind duplicate-scan"
        )
    return begun


def _usable(context: Context, collection: Collection) -> ScanState:
    begun = _state(context, collection)
    if begun.generation != collection.generation:
        raise Conflict("the vectors were made anew since the scan: begin another scan of the duplicates")
    if begun.completed_at is None:
        raise Conflict("the scan of the duplicates is not complete yet; it goes on with another call")
    return begun


def check_within(radius: float, begun: ScanState) -> None:
    """Refuse a radius that is none, or beyond that of the scan.

    Raises:
        InvalidRequest: it is.

    """
    if radius > begun.radius:
        raise InvalidRequest(
            f"the radius is beyond {begun.radius:g}, within which pairs are stored: scan with this one"
        )
    _check_radius(radius, begun.radius)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which groups are asked for.

    Attributes:
        radius: on the API's scale; None: that of the scan.
        state: those that nobody has dismissed, those that somebody has, or all.
        order: the largest first, the nearest, or those with the newest record.
        offset: groups that are passed over.
        limit: groups of a page.
        member: a record that must be one of the group.
        rules: by which the record to keep is suggested (`sql/functions/510_…`); None: none is.

    """

    radius: float | None = None
    state: State = "open"
    order: Order = "size"
    offset: int = 0
    limit: int = 20
    member: str | None = None
    rules: Json = None


def groups(context: Context, collection: Collection, asked: Asked) -> Page:
    """Return a page of the groups of duplicates, as of now.

    Raises:
        Conflict: the pairs are not stored, or not complete.
        InvalidRequest: the radius is beyond that of the scan, or a rule is none.

    """
    begun = refresh(context, collection)
    radius = begun.radius if asked.radius is None else asked.radius
    check_within(radius, begun)
    return table.groups(
        context.db,
        collection,
        radius=radius,
        state=asked.state,
        order=asked.order,
        offset=asked.offset,
        limit=asked.limit,
        member=asked.member,
        rules=asked.rules,
    )


def members(context: Context, collection: Collection, ids: Sequence[str], fields: Fields) -> dict[str, Found]:
    """Return the stored ones of some records, by id."""
    return records.get(context.db, collection, ids, fields)


def pairs(context: Context, collection: Collection, ids: Sequence[str], radius: float | None, limit: int) -> list[Pair]:
    """Return the direct pairs among some records within a radius, None for that of the scan, nearest first.

    Raises:
        Conflict: the pairs are not stored.

    """
    within = _usable(context, collection).radius if radius is None else radius
    return table.pairs(context.db, collection, ids, within, limit)


def resolve(context: Context, collection: Collection, given: Resolution, made_by: str, days: float = TRASH_DAYS) -> int:
    """Keep some records of a group and move the others into the trash; return the number of the decision.

    Raises:
        InvalidRequest: no record is kept or none removed, a rule of the merge is none, or the merged attributes are
            too large.
        Conflict: one of the records is not stored any more, as when somebody else has decided, or one that is removed
            is in no group with one that is kept; nothing is changed.

    """
    most = context.settings.max_attributes_bytes
    decision = _by_pairs_of_now(
        context, collection, lambda: table.resolve(context.db, collection, given, days, made_by, most)
    )
    maintain(context, collection)
    return decision


def preview(
    context: Context, collection: Collection, given: Resolution
) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    """Return the attributes of the record that is kept, before and after those of others are merged into it.

    Raises:
        InvalidRequest: as `resolve` does.
        Conflict: as `resolve` does.

    """
    most = context.settings.max_attributes_bytes
    return _by_pairs_of_now(context, collection, lambda: table.preview(context.db, collection, given, most))


_Made = TypeVar("_Made")


def _by_pairs_of_now(context: Context, collection: Collection, work: Callable[[], _Made]) -> _Made:
    """Do work that is refused where records are in no group; that is said once what was written since is compared."""
    try:
        return work()
    except Conflict:
        begun = stored.state(context.db, collection)
        if begun is None or not begun.pending or not refreshed(context, collection, begun.radius):
            raise
    return work()


def dismiss(
    context: Context, collection: Collection, members: Sequence[str], made_by: str, reason: str | None = None
) -> int:
    """Say that records are no duplicates of each other; return the number of the decision.

    Raises:
        InvalidRequest: there are less than two.
        Conflict: one of them is not stored any more.

    """
    return table.dismiss(context.db, collection, members, reason, made_by)


def undo(context: Context, collection: Collection, decision: int, undone_by: str) -> dict[str, str]:
    """Undo a decision; return what became of each record that it had removed, by id, as `restore` does.

    What cannot come back yet leaves the decision open: it is undone again, for the rest.

    Raises:
        InvalidRequest: there is no such decision.
        Conflict: it was undone already.
        CapacityExceeded: the collection would hold too many; nothing is undone.

    """
    return table.undo(context.db, collection, decision, undone_by)


def history(context: Context, collection: Collection, limit: int, before: int | None = None) -> list[Decision]:
    """Return decisions, the latest first, those before a number."""
    return table.decisions(context.db, collection, limit, before)


def remove(
    context: Context, collection: Collection, ids: Sequence[str], removed_by: str, days: float = TRASH_DAYS
) -> list[str]:
    """Move records into the trash; return the ids of those that were stored."""
    removed = table.remove(context.db, collection, ids, days, removed_by)
    maintain(context, collection)
    return removed


def restore(context: Context, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Bring records back from the trash; return what became of each.

    `restored`; `taken`: a record of its id was stored since; `other_model`: the vectors were made anew since;
    `expired`: its _expires_at has passed. These three stay in the trash. `stored`: it is no longer in the trash, but
    a record; `absent`: it is neither.

    Raises:
        CapacityExceeded: the collection would hold too many; none comes back.

    """
    return table.restore(context.db, collection, ids)


def purge(context: Context, collection: Collection, ids: Sequence[str] | None = None) -> int:
    """Delete records in the trash for good, all where no ids are named; return their number."""
    return table.purge(context.db, collection, ids)


def purge_due(context: Context) -> None:
    """Delete for good what can come back no longer, in all collections, a transaction for each 500 records."""
    while table.purge_due(context.db, _PURGED) == _PURGED:
        pass


def trashed(
    context: Context, collection: Collection, limit: int, before: int | None = None
) -> tuple[list[Trashed], int]:
    """Return records in the trash, the latest first, those before a number; and the number of all."""
    return table.trashed(context.db, collection, limit, before), table.count_trashed(context.db, collection)
