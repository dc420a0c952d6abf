"""How building, size and search grow with the number of records, and what ten million of them would need."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from app.db import collections as table
from app.db.engine import Database
from app.domain.collections import Collection
from app.domain.services import SERVICES
from app.search.plan import grown_effort
from app.services import measuring
from tests.bench import plots
from tests.bench.peers.base import Place, Stock
from tests.bench.peers.job import Round
from tests.bench.peers.own import Engine
from tests.bench.peers.truth import Judged, Truth
from tests.bench.peers.worker import answer
from tests.bench.power_law import HOLDS, Power, power
from tests.bench.report import Table
from tests.bench.setup import Setup, Stopwatch
from tests.bench.shop import shop, visits
from tests.bench.vectors import Crops, crops

EXTRAPOLATED = 10_000_000
_SHARES = (0.12, 0.25, 0.5, 1.0)
_K = 20
_QUERIES = 100
_FILTERED_QUERIES = 40
_ROUND_SECONDS = 10.0
_COLLECTION = "bench-growth"
_VISITS = ("price, 1 %", "price, 10 %", "own category", "farthest category")
_SEED = 3
_NO_FILTER = "no filter"
_BY_SIZE = "no filter, effort by size"
_EFFORT = 400

_SIZES = """
    SELECT pg_table_size(%(table)s::regclass) AS records, pg_relation_size((%(table)s || '_hnsw')::regclass) AS graph,
        pg_indexes_size(%(table)s::regclass) AS indexes
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: seconds, MiB on disk, what the graph takes in memory while it is built, and each kind of search."""

    vectors: int
    copy_seconds: float
    build_seconds: float
    table_mib: float
    graph_mib: float
    other_indexes_mib: float
    build_mib: float | None
    searches: dict[str, Judged]

    @property
    def figures(self) -> dict[str, float]:
        """What is expected to follow a power law."""
        own = {
            "copy s": self.copy_seconds,
            "build s": self.build_seconds,
            "table MiB": self.table_mib,
            "HNSW MiB": self.graph_mib,
            "other indexes MiB": self.other_indexes_mib,
        }
        memory = {} if self.build_mib is None else {"build memory MiB": self.build_mib}
        return {**own, **memory, **{f"{name}, ms": judged.p50_ms for name, judged in self.searches.items()}}


def measure(setup: Setup) -> list[Table]:
    """Measure parts of the vectors, chosen at random, each in a collection of its own."""
    return grown(setup, crops(setup, SERVICES["photo"].model))


def grown(setup: Setup, made: Crops) -> list[Table]:
    """Return the tables for these vectors; a plot is drawn where a folder for it is named."""
    order = np.random.default_rng(_SEED).permutation(len(made.stored))
    sizes = sorted({round(len(made.stored) * share) for share in _SHARES})
    rows = [_measured(setup, _part(made, order[:size].tolist())) for size in sizes]
    fits = fitted(rows)
    found = _tables(setup, rows, fits)
    if setup.plots is not None:
        found[-1].notes.append(plots.told(setup.plots, lambda folder: plots.growth(folder, rows, fits, EXTRAPOLATED)))
    return found


def fitted(rows: Sequence[Measured]) -> dict[str, Power]:
    """Return the power law of each figure that was measured at every size."""
    common = [name for name in rows[0].figures if all(name in row.figures for row in rows)]
    return {name: power([row.vectors for row in rows], [row.figures[name] for row in rows]) for name in common}


def _part(made: Crops, chosen: list[int]) -> Crops:
    return Crops(made.stored[chosen], [made.sources[number] for number in chosen], made.queries[:_QUERIES])


def _measured(setup: Setup, made: Crops) -> Measured:
    number = len(made.stored)
    attributes = shop(made)
    queries = made.queries.astype(np.float32)
    asked = [one for one in visits(attributes, made, queries) if one.name in _VISITS]
    rounds = [
        Round(_NO_FILTER, None, None, _QUERIES, _ROUND_SECONDS),
        Round(f"{_NO_FILTER}, effort {_EFFORT}", _EFFORT, None, _QUERIES, _ROUND_SECONDS),
    ]
    rounds += [Round(one.name, None, one.conditions, _FILTERED_QUERIES, _ROUND_SECONDS) for one in asked]
    with tempfile.TemporaryDirectory(dir=setup.home, prefix="growth-") as name, setup.collection(_COLLECTION):
        vectors = made.stored.astype(np.float32)
        stock = Stock.write(Path(name), vectors, attributes.price, attributes.category.tolist())
        engine = Engine(Place(Path(name), setup.context.db.url, _COLLECTION))
        try:
            setup.tell(f"growth: copying {number:,} vectors")
            watch = Stopwatch()
            engine.copy(stock)
            copied = watch.seconds
            setup.tell("growth: building the indexes")
            watch = Stopwatch()
            engine.index()
            built = watch.seconds
            setup.tell("growth: measuring recall")
            measuring.measure_now(setup.context, table.get(setup.context.db, _COLLECTION))
            engine.open()
            collection = table.get(setup.context.db, _COLLECTION)
            usual = grown_effort(collection, setup.context.settings.ef_search)
            rounds.append(Round(_BY_SIZE, usual, None, _QUERIES, _ROUND_SECONDS))
            sizes = _sizes(setup.context.db, collection)
            per_record = engine.graph_bytes()
            setup.tell("growth: searching")
            answers = {one.name: answer(engine, queries, one, _K) for one in rounds}
        finally:
            engine.close()
    truth = Truth(vectors, queries, attributes, _K)
    return Measured(
        number,
        copied,
        built,
        *sizes,
        None if per_record is None else per_record * number / 2**20,
        {one.name: truth.judge(one, answers[one.name]) for one in rounds},
    )


def _sizes(db: Database, collection: Collection) -> tuple[float, float, float]:
    values = {"table": f"lookalike.{collection.records_table}"}
    row = db.read(lambda connection: connection.execute(_SIZES, values).fetchone()) or {}
    graph = row["graph"]
    return row["records"] / 2**20, graph / 2**20, (row["indexes"] - graph) / 2**20


def _tables(setup: Setup, rows: Sequence[Measured], fits: dict[str, Power]) -> list[Table]:
    first = rows[0]
    searches = [
        (
            f"{row.vectors:,}",
            *(f"{row.searches[name].recall:.4f}, {row.searches[name].p50_ms:.2f}" for name in first.searches),
        )
        for row in rows
    ]
    searching = Table(
        f"Growth: recall@{_K} and p50 ms at default settings",
        ("vectors", *first.searches),
        searches,
        [
            f"{_QUERIES} queries without a filter, {_FILTERED_QUERIES} with; answers compared with NumPy's in float32.",
            f"Amiss: {_amiss(rows) or 'nothing'}.",
        ],
    )
    figures = [
        (
            name,
            *(f"{row.figures[name]:,.2f}" for row in rows),
            f"{fit.exponent:.2f}",
            f"{fit.off:.0%}",
            f"{fit.at(EXTRAPOLATED):,.0f}" if fit.holds else "",
        )
        for name, fit in fits.items()
    ]
    growing = Table(
        "Growth: building and size, with the power law through them",
        ("figure", *(f"{row.vectors:,}" for row in rows), "exponent", "off", f"at {EXTRAPOLATED:,}"),
        figures,
        [
            (
                "Parts of the same crops chosen at random; each figure fitted as a * n^b. Exponent: b. Off: the largest"
                " deviation from the fit."
            ),
            f"Built with the memory and workers of the settings ({_resources(setup)}).",
            (
                "Build memory: what the graph takes while it is built, from where pgvector reports that a small limit"
                " no longer holds it; with less the build goes on, on disk and several times slower. A build with"
                " parallel workers takes all of maintenance_work_mem, in /dev/shm, whatever the graph needs of it."
            ),
            (
                "A search that takes another way at one size than at the next follows no power law: what is off by more"
                f" than {HOLDS:.0%} is not extrapolated."
            ),
            *_needs(fits),
        ],
    )
    return [searching, growing]


def _amiss(rows: Sequence[Measured]) -> str:
    return "; ".join(
        f"{row.vectors:,} {name}: {judged.flags}"
        for row in rows
        for name, judged in row.searches.items()
        if judged.flags
    )


def _resources(setup: Setup) -> str:
    db, own = setup.context.db, setup.context.settings
    memory = _setting(db, "maintenance_work_mem", own.build_memory_mb)
    return f"{memory}, {_setting(db, 'max_parallel_maintenance_workers', own.build_workers)}"


def _setting(db: Database, name: str, own: int | None) -> str:
    if own is not None:
        return f"{name} {own}{'MB' if name.endswith('mem') else ''}"
    row = db.read(lambda connection: connection.execute("SELECT current_setting(%s) AS value", (name,)).fetchone())
    return f"{name} {(row or {})['value']}"


def _needs(fits: dict[str, Power]) -> list[str]:
    """Say what a machine for the extrapolated number of records has to have."""

    def at(name: str) -> float:
        return fits[name].at(EXTRAPOLATED)

    gib = {name: at(f"{name} MiB") / 1024 for name in ("table", "HNSW", "other indexes")}
    building = ""
    if "build memory MiB" in fits:
        wanted = 1000 * ceil(at("build memory MiB") / 1000)
        building = f" memory of {wanted:,} MB for the build (LOOKALIKE_BUILD_MEMORY_MB), and then"
    return [
        (
            f"{EXTRAPOLATED:,} vectors, extrapolated: {sum(gib.values()):.0f} GiB on disk (table {gib['table']:.0f},"
            f" HNSW {gib['HNSW']:.0f}, other indexes {gib['other indexes']:.0f}), the HNSW index once more while it is"
            f" built anew;{building} {gib['HNSW'] + gib['table']:.0f} GiB for the table and its index if searches are"
            f" not to wait for the disk; {at('copy s') / 3600:.1f} h to copy and {at('build s') / 3600:.1f} h to build"
            " on cores like these."
        )
    ]
