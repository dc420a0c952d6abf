"""From the list of a search to the page that is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.db import records
from app.db.engine import Database
from app.db.ladder import Ladder, distance, order
from app.db.target import INDEX, INDEX_THEN_EXACT, Nearest, Target
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where

Compared = Callable[[Target], list[Found]]
Unseen = Callable[[Sequence[str]], Where]


def finished(
    db: Database,
    target: Target,
    ladder: Ladder,
    compared: Compared,
    unseen: Callable[[Sequence[str]], Where] | None = None,
) -> Nearest:
    """Return the page that is asked for, of what the ladder holds and, beyond that, of all other records by `compared`.

    A record that is asked for by its id, matches the filter and is not where its distance puts it shows that the index
    is not to be trusted here: then all is compared. `unseen` is the condition for what is not represented by some ids.
    """
    unseen = unseen or not_among
    ids = [found.id for found in ladder.records]
    missing = sorted(set(target.asked) - set(ids))
    if ids and missing:
        those = narrowed(
            narrowed(target.where, unseen(ids)), Where("r.id = ANY (%(among)s::text[])", {"among": missing})
        )
        near = compared(replace(only_ids(target), where=those, window=Window(len(missing))))
        if any(distance(one) < ladder.edge for one in near):
            ladder.give_up()
            ids = []
    if ladder.complete:
        return Nearest(cut_of(db, target, ladder), INDEX)
    if not ids:
        return Nearest(compared(target), INDEX_THEN_EXACT)
    offset = max(target.window.offset, len(ids))
    rest = Window(target.window.end - offset, offset - len(ids))
    others = compared(replace(target, where=narrowed(target.where, unseen(ids)), window=rest))
    return Nearest(sorted(cut_of(db, target, ladder) + others, key=order), INDEX_THEN_EXACT)


def cut_of(db: Database, target: Target, ladder: Ladder) -> list[Found]:
    """Return the part of the ladder's list that the window shows, with the fields that are asked for."""
    page = ladder.records[target.window.offset : target.window.end]
    bare = [found.id for found in page if found.attributes is None]
    if target.fields.only_id or not bare:
        return page
    known = records.get(db, target.collection, bare, target.fields)
    return [
        found if found.attributes is not None else found._replace(attributes=known[found.id].attributes)
        for found in page
        if found.attributes is not None or found.id in known  # else deleted meanwhile
    ]


def not_among(ids: Sequence[str]) -> Where:
    """Return the condition that a record is none of these."""
    return Where("r.id <> ALL (%(seen)s::text[])", {"seen": list(ids)})


def narrowed(where: Where, other: Where) -> Where:
    """Return the condition that both hold."""
    return Where(f"({where.sql}) AND ({other.sql})", {**where.params, **other.params}, where.equalities)


def only_ids(target: Target) -> Target:
    """Return the target without the attributes of its records, for long lists of which a page is shown."""
    return replace(target, fields=Fields())
