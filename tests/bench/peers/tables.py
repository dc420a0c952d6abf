"""The tables of one run of all engines."""

from collections.abc import Sequence

from tests.bench.peers.compare import FILTERED_QUERIES, QUERIES, REFINED, K, Result
from tests.bench.peers.truth import Judged, Refined
from tests.bench.report import Table, Target

_WANTED_MS = 5.0
_WANTED_RECALL = 0.98
_WANTED_VECTORS = 60_000
# Recall that differs by less is the same: one record in 200 that were to be found.
_SAME = 0.005
_OURS, _QDRANT = "ours", "Qdrant's core"


def tables(results: Sequence[Result], vectors: int) -> list[Table]:
    """Return the tables, for so many vectors."""
    first = [_building(results, vectors), _searching(results), _filtering(results, vectors)]
    return [*first, _refining(results), _updating(results)]


def _building(results: Sequence[Result], vectors: int) -> Table:
    rows: list[tuple[str, ...]] = []
    for one in results:
        if one.built is None or one.searched is None:
            rows.append((one.peer.name, one.failure or "", "", "", "", ""))
            continue
        memory = one.searched.memory + one.searched.memory_elsewhere
        sizes = (one.built.peak + one.built.memory_elsewhere, memory, one.searched.disk)
        cells = [f"{size / 2**20:.0f}" for size in sizes]
        rows.append((one.peer.name, one.built.version, f"{one.built.seconds:.1f}", *cells))
    settings = "; ".join(f"{one.peer.name}: {one.peer.setting}" for one in results)
    return Table(
        f"Beside others: storing and indexing {vectors:,} vectors",
        ("engine", "version", "build s", "memory to build, MiB", "memory to search, MiB", "disk MiB"),
        rows,
        [
            "Same vectors, price and category; m 16, ef_construction 64; all indexes included.",
            (
                "Memory is what a process of the engine's own grew by, its library included: at most while it built"
                " and, in a fresh process, after all searches. For PostgreSQL both have besides the whole table with"
                " its indexes (all of it lies in shared_buffers by then) and the connection's private memory, the first"
                " the graph as well (see Growth: a build with parallel workers reserves all of maintenance_work_mem)."
            ),
            f"How they are set up: {settings}.",
        ],
    )


def _searching(results: Sequence[Result]) -> Table:
    rows = []
    for one in results:
        for effort, judged in one.efforts:
            told = "default" if effort is None else str(effort)
            cells = (f"{judged.recall:.4f}", f"{judged.rate:,.0f}", f"{judged.p50_ms:.2f}", f"{judged.p95_ms:.2f}")
            rows.append((one.peer.name, told, *cells, str(judged.asked), judged.flags))
    return Table(
        f"Beside others: recall@{K} against queries a second",
        ("engine", "effort", f"recall@{K}", "queries/s", "p50 ms", "p95 ms", "asked", "amiss"),
        rows,
        [
            f"One client, one query at a time, {QUERIES} queries or as many as 3 s allow; without a filter.",
            "Exact answers by NumPy in float32; a record as near as the last of them counts.",
            "Ours and pgvector by hand cross a socket to a server; the others are libraries in the client's process.",
            *_failures(results),
        ],
    )


def _filtering(results: Sequence[Result], vectors: int) -> Table:
    able = [one for one in results if one.visits]
    named = {one.peer.name: one for one in able}
    names = [name for name, _ in able[0].visits] if able else []
    rows = []
    for name in names:
        judged = {engine: one.visit(name) for engine, one in named.items()}
        rows.append((name, *(_cell(judged[engine]) for engine in named), _distance(judged)))
    ours = named.get(_OURS)
    return Table(
        f"Beside others: filtered search, recall@{K} and p50 ms",
        ("filter", *named, "ours / Qdrant's core, ms"),
        rows,
        [
            (
                f"{FILTERED_QUERIES} queries a row, fewer where 3 s are spent, but 4 at least; ours at default"
                " settings, the others at effort 100."
            ),
            "* fewer than k records though as many match; ! records that do not match, or one twice.",
            *_failures(results),
            *([_faster(ours, able)] if ours else []),
        ],
        _targets(ours, able, vectors) if ours else [],
    )


def _cell(judged: Judged | None) -> str:
    if judged is None:
        return ""
    marks = ("*" if judged.short else "") + ("!" if judged.wrong else "")
    return f"{judged.recall:.3f}{marks}, {judged.p50_ms:.2f}"


def _distance(judged: dict[str, Judged | None]) -> str:
    ours, qdrant = judged.get(_OURS), judged.get(_QDRANT)
    return f"{ours.p50_ms / qdrant.p50_ms:.1f}" if ours and qdrant else ""


def _targets(ours: Result, able: Sequence[Result], vectors: int) -> list[Target]:
    slowest = max(judged.p50_ms for _, judged in ours.visits)
    worst = min(judged.recall for _, judged in ours.visits)
    enough = vectors >= _WANTED_VECTORS
    lost = [
        f"{name} to {peer.peer.name}"
        for peer in able
        if peer.peer.name not in {_OURS, _QDRANT}
        for name, judged in ours.visits
        if _behind(judged, peer.visit(name))
    ]
    met = not lost and len(able) > 1 and enough
    return [
        Target(
            "filtered p50 at every filter",
            f"≤ {_WANTED_MS:.0f} ms, 60,000",
            f"{slowest:.2f} ms, {vectors:,} vectors",
            slowest <= _WANTED_MS and enough,
        ),
        Target(
            f"filtered recall@{K} at every filter",
            f"≥ {_WANTED_RECALL}, 60,000",
            f"{worst:.4f}, {vectors:,} vectors",
            worst >= _WANTED_RECALL and enough,
        ),
        Target(
            "filtered recall at equal time",
            "behind no peer but Qdrant's core",
            f"behind in {', '.join(lost)}" if lost else f"behind none of {len(able) - 1}",
            met,
        ),
    ]


def _behind(ours: Judged, peer: Judged | None) -> bool:
    """Say whether a peer finds more in no more time."""
    return peer is not None and peer.p50_ms <= ours.p50_ms and peer.recall > ours.recall + _SAME


def _faster(ours: Result, able: Sequence[Result]) -> str:
    """Tell who is faster with no less recall; that is no failure of the target, and not to be hidden."""
    told = [
        f"{peer.peer.name} ({'every filter' if len(names) == len(ours.visits) else '; '.join(names)})"
        for peer in able
        if peer is not ours
        and (
            names := [
                name
                for name, judged in ours.visits
                if (other := peer.visit(name)) is not None
                and other.p50_ms < judged.p50_ms
                and other.recall > judged.recall - _SAME
            ]
        )
    ]
    return f"Faster than ours with no less recall: {', '.join(told) or 'none'}."


def _refining(results: Sequence[Result]) -> Table:
    able = {one.peer.name: dict(one.refined) for one in results if one.refined}
    rows = [(name, *(_refined_cell(found.get(name)) for found in able.values())) for name in REFINED]
    return Table(
        "Beside others: more than the nearest records, p50 ms",
        ("what", *able),
        rows,
        [
            (
                "Facets count the categories exactly, the others search by vector at default settings or effort 100."
                " Empty: the engine, in the process, has none."
            ),
            "! so many answers were not the true ones; variety and groups have no single true one.",
        ],
    )


def _refined_cell(found: Refined | None) -> str:
    if found is None:
        return ""
    return f"{found.p50_ms:.2f}" + (f" !{found.wrong}" if found.wrong else "")


def _updating(results: Sequence[Result]) -> Table:
    rows = []
    bulk = 0
    for one in results:
        if one.searched is None or one.searched.updates is None:
            rows.append((one.peer.name, "", "", one.failure or "no attributes", ""))
            continue
        updates = one.searched.updates
        bulk = max(bulk, updates.bulk)
        seen = "yes" if one.update_seen else "NO"
        rows.append(
            (one.peer.name, f"{updates.single_ms:.3f}", f"{updates.bulk_ms:.4f}", one.searched.durable or "", seen)
        )
    return Table(
        "Beside others: updates of an attribute that is filtered by",
        (
            "engine",
            "one a call, ms",
            f"{bulk:,} in one call, ms a record",
            "when it returns",
            "seen by the next search",
        ),
        rows,
        [
            "Another price: the median of 100 calls, then one call. Seen: the next search for it finds k such records.",
            "Synced or not: as a trace of the system calls of 100 updates showed for these versions.",
        ],
    )


def _failures(results: Sequence[Result]) -> list[str]:
    return [f"{one.peer.name}: {one.failure}." for one in results if one.failure]
