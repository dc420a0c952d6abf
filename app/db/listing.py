"""find, random, allRecords, deleteByFilter: records by filter, without a query picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from secrets import SystemRandom
from typing import Any

from app.db.engine import Connection, Database, partition, table_of, unexpired
from app.db.loader import Query, query
from app.db.records import fields_sql
from app.db.search.reads import count_matches
from app.db.spread import chosen
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.filters import NO_FILTER, Where

_STREAM_ROWS = 1000
# Sort all matches by a random number if there are at most this many: some milliseconds.
_SORTED_SAMPLE = 5000
# Places tried in one round of sampling, and in all rounds, before the sample is taken the exact way.
_PROBES = 512
_PROBES_AT_MOST = 64_000
# MaxHeapTuplesPerPage of an 8 kB page: no page has more lines.
_LINES = 291
_DELETE_TIMEOUT = "10min"


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing names records of a collection, and the fields of them that are wanted."""

    collection: Collection
    fields: Fields
    where: Where = NO_FILTER

    def render(self, chosen: Query, **spans: str) -> str:
        """Return a query's text for this listing."""
        records, fields = partition("records", self.collection), fields_sql(self.fields)
        return chosen.render(records=records, fields=fields, filter=self.where.sql, **spans)

    def values(self, **given: object) -> dict[str, object]:
        """Return a query's parameters for this listing."""
        return {
            **self.where.params,
            "collection_id": self.collection.id,
            "fields": list(self.fields.names),
            **given,
        }


def find(db: Database, listing: Listing, limit: int) -> list[Found]:
    """Return up to `limit` records, in no particular order."""
    return _read(db, listing, "find", limit=f"{limit:d}")


def random(db: Database, listing: Listing, count: int) -> list[Found]:
    """Return `count` different records, each set of them as likely as any other; all of them where there are fewer.

    Few matches are sorted by a random number. Of many, random places of the table are looked at, which takes the same
    time in a collection of any size (see the query `random_probe`); where too few places hold a match, they are
    sorted after all.
    """
    if count == 0:
        return []
    bound = max(_SORTED_SAMPLE, 4 * count)
    # The places of a table of Citus' are on its workers: all matches are sorted, on each.
    if not listing.collection.distributed and count_matches(db, listing.collection, listing.where, bound + 1) > bound:
        found = db.read(lambda connection: _probe(connection, listing, count), generic=False)
        if len(found) >= count:
            return found[:count]
    return _read(db, listing, "random_exact", limit=f"{count:d}")


def _probe(connection: Connection, listing: Listing, count: int) -> list[Found]:
    table = table_of(listing.collection)
    row = connection.execute(query("listing", "pages").render(), {"table": table}).fetchone()
    text = listing.render(query("listing", "random_probe"))
    found: dict[str, Found] = {}
    probes = _PROBES
    tried = 0
    while len(found) < count and tried < _PROBES_AT_MOST:
        values = listing.values(pages=(row or {})["pages"], lines=_LINES, probes=probes)
        rows = connection.execute(text, values, prepare=False).fetchall()
        # A round's rows come in the order of the table; which of them are kept must not depend on it.
        hits = [Found(hit["id"], hit["attributes"]) for hit in rows]
        SystemRandom().shuffle(hits)
        for hit in hits:
            found.setdefault(hit.id, hit)
        tried += probes
        probes *= 2
    return list(found.values())


def page_after(db: Database, listing: Listing, after: str, limit: int, offset: int = 0) -> list[Found]:
    """Return up to `limit` records with ids beyond `after`, in the order of their ids."""
    return _read(db, listing, "page_after", {"after": after}, limit=f"{limit:d}", offset=f"{offset:d}")


def page_before(db: Database, listing: Listing, before: str, limit: int) -> list[Found]:
    """Return up to `limit` records with ids before `before`, the nearest of them, in the order of their ids."""
    return _read(db, listing, "page_before", {"before": before}, limit=f"{limit:d}")[::-1]


def stream(db: Database, listing: Listing) -> Iterator[list[Found]]:
    """Yield all records in the order of their ids, a thousand at a time, as of one moment."""
    text = listing.render(query("listing", "stream"))
    with db.snapshot() as connection, connection.cursor("stream") as cursor:
        cursor.itersize = _STREAM_ROWS
        cursor.execute(text, listing.values())
        while rows := cursor.fetchmany(_STREAM_ROWS):
            yield [Found(row["id"], row["attributes"]) for row in rows]


def delete(db: Database, listing: Listing) -> list[Found]:
    """Delete all matching records in one transaction; return them as they were."""
    text = chosen(listing.collection, "listing", "delete").render(
        records=table_of(listing.collection),
        live=unexpired(listing.collection),
        fields=fields_sql(listing.fields),
        filter=listing.where.sql,
    )

    def work(connection: Connection) -> list[dict[str, Any]]:
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (_DELETE_TIMEOUT,))
        connection.patience = None
        return connection.execute(text, listing.values(), prepare=False).fetchall()

    return [Found(row["id"], row["attributes"]) for row in db.write(work)]


def _read(
    db: Database, listing: Listing, name: str, given: dict[str, object] | None = None, **spans: str
) -> list[Found]:
    text = listing.render(query("listing", name), **spans)
    values = listing.values(**(given or {}))
    rows = db.all(text, values, prepare=False)
    return [Found(row["id"], row["attributes"]) for row in rows]
