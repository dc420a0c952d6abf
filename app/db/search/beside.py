"""Copies of one vector that are too many for the index stand beside it, in crowds, and are found here.

A crowd has one vector, so that is compared with what is looked for, and records are read of those crowds alone that
reach into the list. They are read after the index was walked: a crowd is never forgotten, so one whose records the walk
left out is seen here (`sql/functions/297_keep_copies_apart.sql`).
"""

from collections.abc import Sequence
from dataclasses import replace

from app.db.engine import Database
from app.db.search.reads import products_of
from app.db.search.send import compared, fetch
from app.db.search.statements import in_near_crowds, near_crowds
from app.domain.records import Found
from app.domain.windows import Window
from app.filters import Where
from app.search.ladder import Ladder
from app.search.request import Query


def join(db: Database, query: Query, ladder: Ladder) -> None:
    """Give the records of crowds their places in a list; of a product, its nearest record alone."""
    if ladder.records and ladder.records[0].distance is None:
        return  # the stored record that is looked for is not there
    wide = replace(query, window=Window(ladder.end))
    if query.several is None and query.product_field is None:
        ladder.join(fetch(db, in_near_crowds(wide, ladder.reach)))
        return
    near = near_crowds(query, ladder.reach)
    digests = [row["digest"] for row in db.all(near.text, near.values)]
    if not digests:
        return
    ladder.join(compared(db, wide.but(Where("r.crowd = ANY (%(crowds)s::bigint[])", {"crowds": digests}))))
    if query.product_field is not None:
        ladder.records = _first_of_each(db, query, ladder.records, query.product_field)


def _first_of_each(db: Database, query: Query, found: Sequence[Found], field: str) -> list[Found]:
    """Return the first record of each product; one without a product is its own."""
    products = products_of(db, query.collection, [one.id for one in found], field)
    kept: dict[tuple[bool, str], Found] = {}
    for one in found:
        kept.setdefault((one.id in products, products.get(one.id, one.id)), one)
    return list(kept.values())
