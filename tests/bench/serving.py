"""What an answer of the server costs beside the bare SQL and the bare model, at several numbers of clients."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import numpy as np
import orjson

from app.db.search.statements import candidates
from app.domain.collections import Collection
from app.domain.records import Fields
from app.domain.windows import Window
from app.embedding.models import registry
from app.embedding.pictures.images import decode
from app.search.plan import FIRST, Expectation, planned
from app.search.request import Query
from app.services.pipeline import Item
from app.services.vectors import DECODE_PIXELS
from tests.bench.clients import Clients, HttpJob, Round, SqlJob, post
from tests.bench.recall import record_id
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch, held_out
from tests.bench.vectors import Crops

K = 30
CLIENTS = (1, 4, 16)
_MANY = 50
_ROUNDS = 5
PATH = "/photo/search/v2/visualKNN"
_IDS = 1000
_PHOTOS = 64
_SUSTAINED_ROUNDS = 10  # rounds' length of the measurement of the sustained rate
_RATIO = 2.0
_THROUGHPUT = 0.7
_RATE = 200


@dataclass(frozen=True, slots=True)
class Scene:
    """Where requests go: the server's port, a token that may read the collection, and the collection, indexed."""

    port: int
    token: str
    collection: Collection

    def request(self, query_record: Mapping[str, object]) -> bytes:
        """Return a request of visualKNN with the default fields."""
        headers = {"Authorization": f"Token {self.token}", "collection-id": self.collection.name}
        return post(PATH, headers, orjson.dumps({"query_record": query_record, "k": K}))

    def job(self, query_records: Sequence[Mapping[str, object]]) -> HttpJob:
        """Return the clients that ask for the neighbours of these records."""
        requests = tuple(map(self.request, query_records))
        return HttpJob("127.0.0.1", self.port, requests, b'"answer_count":%d' % K)


def ids(crops: Crops) -> list[str]:
    """Return the `_id`s that are asked for: a random choice, the same one in every run."""
    chosen = np.random.default_rng(3).permutation(len(crops.sources))[:_IDS]
    return [record_id(crops.sources[number].id, int(number)) for number in chosen]


def statement(setup: Setup, collection: Collection, chosen: Sequence[str], *, pooled: bool) -> SqlJob:
    """Return the clients of the bare SQL: the very statement that the server sends for `_id` and k."""
    rung = next(rung for rung in FIRST if rung.keep >= K)
    query = Query(collection, Window(K), Fields(), what=chosen[0])
    plan = planned(query, setup.context.db.ef_search, lambda: Expectation(0, reads_all=True))
    sent = candidates(query, plan, plan.first_walk(rung.candidates))
    return SqlJob(
        url=setup.context.db.url,
        text=sent.text,
        values=tuple({**sent.values, "id": one} for one in chosen),
        rows=rung.candidates,
        ef_search=setup.context.db.ef_search,
        pooled=pooled,
    )


@dataclass(frozen=True, slots=True)
class _Median:
    """The medians of several rounds: times in milliseconds, rates in answers a second, errors as their sum."""

    p50: float
    p99: float
    rate: float
    errors: int

    @classmethod
    def of(cls, rounds: Sequence[Round]) -> "_Median":
        """Return the medians of rounds, of which at least one got an answer."""
        good = [one for one in rounds if one.milliseconds]
        if not good:
            raise RuntimeError("no request got a good answer; see the server's log")
        return cls(
            median([one.p50 for one in good]),
            median([one.p99 for one in good]),
            median([one.rate for one in good]),
            sum(one.errors for one in rounds),
        )

    def cells(self, ratio: float | None = None) -> tuple[str, ...]:
        """Return p50, p99, rate, errors, and how many times as long this took as something else."""
        told = "" if ratio is None else f"{ratio:.2f}"
        return f"{self.p50:.2f}", f"{self.p99:.2f}", f"{self.rate:.0f}", str(self.errors), told


def by_id(setup: Setup, scene: Scene, crops: Crops) -> Table:
    """Measure visualKNN by `_id`: server, one pooled connection and a connection a client, in turns."""
    chosen = ids(crops)
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    with ExitStack() as stack:
        ways = {
            "server": stack.enter_context(Clients(scene.job([{"_id": one} for one in chosen]))),
            "SQL, one pooled connection": stack.enter_context(
                Clients(statement(setup, scene.collection, chosen, pooled=True))
            ),
            "SQL, a connection a client": stack.enter_context(
                Clients(statement(setup, scene.collection, chosen, pooled=False))
            ),
        }
        for clients in CLIENTS:
            setup.tell(f"serving: visualKNN by _id, {clients} clients")
            rounds: dict[str, list[Round]] = {way: [] for way in ways}
            for _ in range(_ROUNDS):
                for way, process in ways.items():
                    rounds[way].append(process.round(clients, setup.seconds))
            server, *others = (_Median.of(rounds[way]) for way in ways)
            rows.append((str(clients), "server", *server.cells()))
            for way, other in zip(list(ways)[1:], others, strict=True):
                rows.append((str(clients), way, *other.cells(server.p50 / other.p50)))
            if clients == 4:
                ratio = server.p50 / others[0].p50
                wanted = f"≤ {_RATIO} x the SQL's"
                targets.append(Target(f"p50 by _id, {clients} clients", wanted, f"{ratio:.2f} x", ratio <= _RATIO))
            if clients == 16:
                ratio = server.rate / max(other.rate for other in others)
                wanted = f"≥ {_THROUGHPUT} x the SQL's, either way"
                targets.append(Target("answers a second, 16 clients", wanted, f"{ratio:.2f} x", ratio >= _THROUGHPUT))
        setup.tell(f"serving: {_MANY} clients at once, and the sustained rate")
        many = ways["server"].round(_MANY, setup.seconds * _ROUNDS)
        rows.append((str(_MANY), "server", *_Median.of([many]).cells()))
        sustained = ways["server"].round(16, setup.seconds * _SUSTAINED_ROUNDS)
        rows.append(("16", f"server, {sustained.seconds:.0f} s on end", *_Median.of([sustained]).cells()))
    errors = sum(int(row[5]) for row in rows if row[1].startswith("server"))
    answered = f"{many.errors} of {len(many.milliseconds) + many.errors}"
    targets += [
        Target(f"errors, {_MANY} clients at once", "0", answered, many.errors == 0),
        Target(
            "good answers a second by _id, sustained", f"≥ {_RATE}", f"{sustained.rate:.0f}", sustained.rate >= _RATE
        ),
    ]
    return Table(
        f"Serving: visualKNN by _id, k {K}, {len(crops.stored):,} records",
        ("clients", "way", "p50 ms", "p99 ms", "per s", "errors", "server p50 / this"),
        rows,
        [
            f"{_ROUNDS} rounds of {setup.seconds:g} s each, the ways in turns; medians of the rounds.",
            "The SQL is the statement that the server sends, prepared, results in binary, read into Python.",
            f"Clients, SQL clients, server and PostgreSQL share the machine's cores; {errors} errors in all.",
        ],
        targets,
    )


def by_picture(setup: Setup, scene: Scene) -> Table:
    """Measure visualKNN by a JPEG in the request, beside what decoding and the model take for a picture."""
    _, others = held_out(setup.photos)
    chosen = others[:: max(1, len(others) // _PHOTOS)][:_PHOTOS]
    records = [{"_base64": base64.b64encode(item.read()).decode()} for item in chosen]
    before = _bare(setup, scene.collection, chosen)
    rows: list[tuple[str, ...]] = []
    lone = 0.0
    with Clients(scene.job(records)) as server:
        for clients in CLIENTS:
            setup.tell(f"serving: visualKNN by picture, {clients} clients")
            found = _Median.of([server.round(clients, setup.seconds) for _ in range(_ROUNDS)])
            lone = lone or found.p50
            rows.append((str(clients), "server", *found.cells()[:4], f"{1000 / found.rate:.2f}"))
    after = _bare(setup, scene.collection, chosen)
    decoding, one, eight = (median(pair) for pair in zip(before, after, strict=True))
    rows += [
        ("", "bare decoding and resizing", "", "", "", "", f"{decoding:.2f}"),
        ("", "bare model, one picture at a time", "", "", "", "", f"{one:.2f}"),
        ("", "bare model, batches of 8", "", "", "", "", f"{eight:.2f}"),
    ]
    share = (decoding + one) / lone
    return Table(
        f"Serving: visualKNN by picture, k {K}",
        ("clients", "way", "p50 ms", "p99 ms", "per s", "errors", "ms a picture"),
        rows,
        [
            f"{len(chosen)} held-out photos as they are, in Base64; medians of {_ROUNDS} rounds.",
            f"Of the {lone:.1f} ms that 1 client waits, decoding and the model alone take {decoding + one:.1f} ms.",
        ],
        [Target("embedding is the only large cost by picture", "≥ half of p50", f"{share:.2f} of p50", share >= 0.5)],
    )


def _bare(setup: Setup, collection: Collection, items: Sequence[Item]) -> tuple[float, float, float]:
    """Return milliseconds a picture, in one thread: decoding and resizing, the model by ones, the model by eights."""
    embedder = registry.load(collection.model, setup.context.models.options, setup.context.settings.model_threads)
    watch = Stopwatch()
    prepared = [embedder.prepare(decode(item.read(), setup.limits, target=DECODE_PIXELS)) for item in items]
    decoding = watch.seconds
    singly: list[float] = []
    for one in prepared:
        watch = Stopwatch()
        embedder.embed([one])
        singly.append(watch.seconds * 1000)
    watch = Stopwatch()
    embedder.embed(prepared)
    return decoding * 1000 / len(items), median(singly), watch.seconds * 1000 / len(items)
