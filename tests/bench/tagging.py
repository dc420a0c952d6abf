"""How many of the true best records visualTagsKNN finds, by looks and tags together, on many real vectors."""

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.search.request import Point, Query, Several
from app.services.pipeline import Item
from tests.bench.recall import Filled
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch, category
from tests.bench.vectors import Crops
from tests.support.searching import answered, exact

FIELD = "tags"
_K = 30
_ASKED = 40
_WEIGHTS = (0.2, 0.5, 0.8)
_SELLERS, _SEASONS = 97, 2
_WANTED = 0.98


def attributes(source: Item, number: int) -> dict[str, Json]:
    """Return what a crop is stored with: its class, a tag that 1 in 97 have, and one that half of all have."""
    return {FIELD: [category(source), f"seller-{number % _SELLERS}", f"season-{number % _SEASONS}"]}


def measure(setup: Setup, filled: Filled, crops: Crops) -> Table:
    """Compare the combined order of the candidates with the combined order of every record."""
    classes = sorted({category(source) for source in crops.sources})
    rows = []
    found: list[float] = []
    for words, rare in (("class and seller (1 in 97)", True), ("class and season (half of all)", False)):
        for weight in _WEIGHTS:
            setup.tell(f"tags: {_ASKED} searches, {words}, tags weigh {weight}")
            queries = [
                Point(vector.astype(np.float32), _tags(classes, number, rare=rare), weight)
                for number, vector in enumerate(crops.queries[:: max(1, len(crops.queries) // _ASKED)][:_ASKED])
            ]
            recalls, ours, full = _compare(setup, filled, queries)
            found += recalls
            rows.append(
                (words, f"{weight}", f"{np.mean(recalls):.4f}", f"{min(recalls):.2f}", f"{ours:.1f}", f"{full:.1f}")
            )
    mean = float(np.mean(found))
    return Table(
        f"visualTagsKNN: looks and tags together, {len(crops.stored):,} vectors",
        ("tags of the query", "tags_weight", f"recall@{_K}", "worst query", "ms", "every record ms"),
        rows,
        [
            (
                f"{_ASKED} queries of photos that are not stored, with tags drawn without regard to their looks, each"
                " compared with the same distance computed for every record; times in process, medians."
            )
        ],
        [Target(f"recall@{_K} of looks and tags", f"≥ {_WANTED}", f"{mean:.4f}", mean >= _WANTED)],
    )


def _tags(classes: Sequence[str], number: int, *, rare: bool) -> list[str]:
    own = f"seller-{number % _SELLERS}" if rare else f"season-{number % _SEASONS}"
    return [classes[number % len(classes)], own]


def _compare(setup: Setup, filled: Filled, queries: Sequence[Point]) -> tuple[list[float], float, float]:
    target = Query(filled.collection, Window(_K), Fields())
    recalls: list[float] = []
    times: NDArray[np.float64] = np.empty((len(queries), 2))
    for place, one in enumerate(queries):
        what = Several([one], tags_field=FIELD)
        watch = Stopwatch()
        ours = answered(setup.context.db, target, what).records
        times[place, 0] = watch.seconds * 1000
        watch = Stopwatch()
        full = exact(setup.context.db, target, what)
        times[place, 1] = watch.seconds * 1000
        recalls.append(len({record.id for record in ours} & {record.id for record in full}) / _K)
    return recalls, median(times[:, 0].tolist()), median(times[:, 1].tolist())
