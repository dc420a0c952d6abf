"""The nearest record of each product, ranks counted in products."""

from collections.abc import Sequence
from dataclasses import replace

from app.db.engine import Database
from app.db.search import ranks
from app.db.search.reads import products_of
from app.db.search.send import fetch
from app.db.search.statements import candidates, is_generic, knobs, shaped, walked
from app.domain.windows import Window
from app.filters import Where
from app.search.ladder import Ladder, Rung, at_one_distance, order
from app.search.plan import SIFTED, Plan
from app.search.request import Query

# So many products at one distance are looked at record by record.
_ALIKE = 3
# The part of the candidates that is trusted: the index orders by rounded vectors.
_TRUSTED = 0.9


def climb(db: Database, query: Query, plan: Plan, ladder: Ladder) -> None:
    """Walk to more and more candidates while they hold too few products."""
    for rung in SIFTED:
        if ladder.complete or not ladder.trusted:
            break
        wide = replace(query.only_ids(), window=Window(rung.keep + 1))
        walk = plan.walk(Rung(rung.candidates, rung.candidates))
        if ladder.records:
            wide = wide.but(unseen(db, query, [one.id for one in ladder.records]))
            # The first candidates are offered again, and most of them are of products that were seen.
            walk = replace(walk, budget=walk.budget + SIFTED[0].candidates)
        found = fetch(db, shaped(wide, walked(wide, plan, walk), knobs(plan, walk), generic=is_generic(plan)))
        if at_one_distance(sorted(found, key=order), _ALIKE):
            # They may be more copies than products: those of a product were sifted out.
            ladder.beware(sorted(fetch(db, candidates(wide, plan, walk)), key=order))
        if not ladder.copies:
            ladder.climb(found, rung.keep if len(found) > rung.keep else int(_TRUSTED * len(found)))


def unseen(db: Database, query: Query, ids: Sequence[str]) -> Where:
    """Return the condition that a record is of another product than these records; one without a product is its own."""
    field = query.product_field or ""
    products = sorted(set(products_of(db, query.collection, ids, field).values()))
    values: dict[str, object] = {"seen_field": field, "seen_products": products}
    others = Where("(r.attributes -> %(seen_field)s <> ALL (%(seen_products)s::jsonb[])) IS NOT FALSE", values)
    return ranks.unseen(db, query, ids) & others
