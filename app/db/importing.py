"""Records of an import, and the note how far it is, in one transaction: neither is there without the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.db import loads, near_duplicate_insert, replacing
from app.db.engine import Connection, Database
from app.db.loads import Outcome
from app.db.near_duplicate_insert import NearDuplicateCheck
from app.db.records import NewRecord
from app.db.replacing import Content, Rules
from app.domain.collections import Collection
from app.domain.records import Found


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of an import that are written together, each of another id.

    `rows` come with their vectors. `same` are stored records, by id, whose pictures stay: their attributes as JSON
    text, and what the picture is known by.
    """

    rows: Sequence[NewRecord] = ()
    same: Mapping[str, tuple[str, Content]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of records, by id: how they were written, why the database refused others, what they look like.

    An id in none of the three was passed over: it is taken, or where only stored records are replaced, not stored.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    near: dict[str, list[Found]] = field(default_factory=dict)


def store(
    db: Database,
    collection: Collection,
    batch: Batch,
    rules: Rules | None,
    check: NearDuplicateCheck | None,
    then: Callable[[Connection, Stored], None],
) -> None:
    """Write a batch in one transaction, and call `then` at its end with what became of it.

    Args:
        db: the database.
        collection: where the records are stored.
        batch: the records.
        rules: how stored ones are brought up to date; None: a taken id is passed over.
        check: what counts as a near duplicate, which is left out, or only told; None: nothing does.
        then: what belongs to the transaction as well; it may raise, and nothing is written then.

    Raises:
        CapacityExceeded: the records would take the collection over its capacity; nothing is stored.
        CollectionNotFound: it was dropped.

    """
    written = Stored()

    def write(connection: Connection, rows: Sequence[NewRecord]) -> set[str]:
        if not rows:
            return set()
        if rules is None:
            done = loads.store_with(connection, collection, rows)
        else:
            done = replacing.store_copied(connection, collection, rows, rules)
        written.outcomes.update(done.outcomes)
        written.refused.update(done.refused)
        return set(done.outcomes)

    def rest(connection: Connection) -> None:
        if batch.same and rules is not None:
            done = replacing.refresh_with(connection, collection, batch.same, rules)
            written.outcomes.update(done.outcomes)
            written.refused.update(done.refused)
        then(connection, written)

    if check is None:

        def work(connection: Connection) -> None:
            written.outcomes.clear()
            written.refused.clear()
            write(connection, batch.rows)
            rest(connection)

        db.write(work)
        return

    def checked(connection: Connection, stored: set[str], near: dict[str, list[Found]]) -> None:
        for record_id in written.outcomes.keys() - stored:  # of a try that was undone
            del written.outcomes[record_id]
        written.near.update(near)
        rest(connection)

    near_duplicate_insert.insert(
        db, collection, batch.rows, check, replace=write, then=checked, replaces=rules is not None
    )
