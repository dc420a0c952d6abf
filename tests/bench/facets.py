"""Facets beside what they are made of: a GROUP BY of one field in bare SQL, over the same records of a shop."""

from statistics import median

from app.db.engine import partition
from app.domain.collections import Collection
from app.domain.facets import facets_of
from app.domain.records import Json
from app.services import facets as service
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch

_ROUNDS = 15
_FIELDS: list[Json] = ["category", "brand", "in_stock", "photo", {"field": "price", "histogram": {"bins": 10}}]
_WANTED_SHARE = 1.5
_WANTED_MS = 10.0
_JUDGED = 60_000  # records at which milliseconds are judged
_FILTERS: dict[str, Json] = {"all records": {}, "price 5 %": {"price": {"$lt": 50.0}}}
_BARE = "SELECT count(*) FROM (SELECT r.attributes->'brand', count(*) FROM {} AS r GROUP BY 1) AS g"


def measure(setup: Setup, collection: Collection) -> Table:
    """Count five fields with and without a filter, in turns with the bare statement; medians in milliseconds."""
    setup.tell("facets: five fields, in turns with GROUP BY")
    asked = facets_of(_FIELDS)
    bare = _BARE.format(partition("records", collection))
    times: dict[str, list[float]] = {name: [] for name in ("one GROUP BY in bare SQL", *_FILTERS)}
    totals = dict.fromkeys(_FILTERS, 0)
    for _ in range(_ROUNDS):
        watch = Stopwatch()
        with setup.context.db.session() as connection:
            connection.execute(bare).fetchall()
        times["one GROUP BY in bare SQL"].append(watch.seconds * 1000)
        for name, filter_ in _FILTERS.items():
            watch = Stopwatch()
            totals[name] = service.count(setup.context, collection, asked, filter_).total
            times[name].append(watch.seconds * 1000)
    middle = {name: median(some) for name, some in times.items()}
    rows = [(name, f"{totals.get(name, totals['all records']):,}", f"{ms:.1f}") for name, ms in middle.items()]
    share = middle["all records"] / middle["one GROUP BY in bare SQL"]
    judged = totals["all records"] == _JUDGED
    targets = [
        Target(
            "five facets over all records",
            f"<= {_WANTED_SHARE} x one GROUP BY",
            f"{share:.2f} x",
            share <= _WANTED_SHARE,
        ),
        Target(
            "five facets under a filter of 5 %",
            f"<= {_WANTED_MS:.0f} ms at {_JUDGED:,}",
            f"{middle['price 5 %']:.1f} ms at {totals['all records']:,}",
            judged and middle["price 5 %"] <= _WANTED_MS,
        ),
    ]
    return Table(
        "Facets: category, brand, in_stock, photo, a histogram of price",
        ("set", "records", "p50 ms"),
        rows,
        [],
        targets,
    )
