"""Refined searches beside the plain ones that they are made of, in turns, over the records of a shop."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.facets import facets_of
from app.domain.records import Fields
from app.domain.refinement import Refinement
from app.domain.windows import Window
from app.search.request import Query
from app.services import qualified
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch
from tests.bench.vectors import Crops

_QUERIES = 40
_K = 20
_CANDIDATES = 100
_GROUP = 3
_PRODUCT = "photo"
# Nearer than this is but the record itself, and the queries are of photos that are not stored.
_NOTHING = 1e-6
_WANTED_CUTOFF = 1.2
_WANTED_VARIETY_MS = 2.0
_WANTED_GROUPS = 1.5
_PLAIN, _CUTOFF, _NEAREST = "plain, k 20", "radius that nothing meets", "100 candidates, ids alone"
_VARIED, _PRODUCTS, _GROUPS = "variety among 100 candidates, k 20", "one of each photo", "groups of 3 of each photo"
_COUNTED, _FACETS = "count within a radius that all meet", "a facet over 100 candidates"


def measure(setup: Setup, collection: Collection, crops: Crops) -> Table:
    """Search for photos that are not stored, each query in all ways one after the other; medians in milliseconds."""
    setup.tell(f"refined: {_QUERIES} queries, plain and refined in turns")
    ways = _ways(setup, Query(collection, Window(_K), Fields(names=("price",))))
    queries = crops.queries[: _QUERIES + 1].astype(np.float32)
    _in_turns(ways, queries[:1])  # it loads what is loaded once
    middle = {name: median(times) for name, times in _in_turns(ways, queries[1:]).items()}
    cutoff, groups = middle[_CUTOFF] / middle[_PLAIN], middle[_GROUPS] / middle[_PRODUCTS]
    variety = middle[_VARIED] - middle[_NEAREST]
    return Table(
        f"Refined searches, {len(crops.stored):,} vectors",
        ("search", "p50 ms", "x plain"),
        [(name, f"{ms:.1f}", f"{ms / middle[_PLAIN]:.2f}") for name, ms in middle.items()],
        [f"{len(queries) - 1} queries, each asked in all the ways in turn; times in process, one thread."],
        [
            Target(_CUTOFF, f"<= {_WANTED_CUTOFF} x plain", f"{cutoff:.2f} x", cutoff <= _WANTED_CUTOFF),
            Target(
                _VARIED,
                f"<= {_WANTED_VARIETY_MS:.0f} ms more than the candidates",
                f"{variety:.1f} ms",
                variety <= _WANTED_VARIETY_MS,
            ),
            Target(_GROUPS, f"<= {_WANTED_GROUPS} x one of each", f"{groups:.2f} x", groups <= _WANTED_GROUPS),
        ],
    )


def _ways(setup: Setup, query: Query) -> dict[str, Callable[[NDArray[np.float32]], object]]:
    """Return what is measured, by its name: each searches for a vector of unit length."""

    def plain(asked: Query) -> Callable[[NDArray[np.float32]], object]:
        return lambda vector: qualified.nearest_to(setup.context, asked.near(vector))

    def refined(refinement: Refinement, asked: Query = query) -> Callable[[NDArray[np.float32]], object]:
        return lambda vector: qualified.search(setup.context, asked.near(vector), refinement, {})

    products = replace(query, product_field=_PRODUCT)
    wide = replace(query, radius=10 * query.collection.distance_scale)
    return {
        _PLAIN: plain(query),
        _CUTOFF: plain(replace(query, radius=_NOTHING)),
        _NEAREST: plain(replace(query.only_ids(), window=Window(_CANDIDATES))),
        _VARIED: refined(Refinement(diversity=0.5, candidates=_CANDIDATES)),
        _PRODUCTS: plain(products),
        _GROUPS: refined(Refinement(group_size=_GROUP), products),
        _COUNTED: refined(Refinement(count=True), wide),
        _FACETS: refined(Refinement(facets=facets_of(["brand"]), candidates=_CANDIDATES)),
    }


def _in_turns(
    ways: dict[str, Callable[[NDArray[np.float32]], object]],
    queries: Sequence[NDArray[np.float32]] | NDArray[np.float32],
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for query in queries:
        for name, search in ways.items():
            watch = Stopwatch()
            search(query)
            times[name].append(watch.seconds * 1000)
    return times
