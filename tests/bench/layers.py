"""Where the time of one visualKNN by `_id` goes: the same search, asked for at each layer in turn, one at a time."""

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

import numpy as np
import orjson

from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from app.services.search import Search, visual_knn
from tests.bench.clients import Clients
from tests.bench.report import Table, Target
from tests.bench.serving import PATH, K, Scene, ids, statement
from tests.bench.setup import Setup, Stopwatch
from tests.bench.vectors import Crops
from tests.support.searching import answered

_ROUNDS = 10
_ASKED = 100  # in a row, in one round of one layer
_SHARE = 1.0
_BARE = "SQL on a held connection"


def measure(setup: Setup, scene: Scene, crops: Crops, wsgi: WSGIApplication) -> Table:
    """Ask at every layer, in turns; `wsgi` is the application, in this process."""
    setup.tell("layers: the same search at every layer")
    chosen = ids(crops)
    context = setup.context
    target = Query(scene.collection, Window(K), Fields())
    service = Search(context, scene.collection, Window(K), Fields())
    held = statement(setup, scene.collection, chosen, pooled=False)
    pooled = statement(setup, scene.collection, chosen, pooled=True)
    with ExitStack() as stack:
        layers: dict[str, Callable[[int], object]] = {
            _BARE: stack.enter_context(held.client(stack.enter_context(held.shared()))),
            "the same through a pool": stack.enter_context(pooled.client(stack.enter_context(pooled.shared()))),
            "app.db.search.find": lambda number: answered(context.db, target, chosen[number]),
            "app.services.search.visual_knn": lambda number: visual_knn(service, {"_id": chosen[number]}),
            "the application, as WSGI": lambda number: _call(wsgi, scene, chosen[number]),
        }
        over_http = stack.enter_context(Clients(scene.job([{"_id": one} for one in chosen])))
        times: dict[str, list[float]] = {name: [] for name in layers}
        http: list[float] = []
        for _ in range(_ROUNDS):
            for name, ask in layers.items():
                times[name] += _timed(ask, len(chosen))
            http += over_http.round(1, setup.seconds / 2).milliseconds
    times["the server, over HTTP"] = http
    bare = median(times[_BARE])
    share = (median(http) - bare) / bare
    return Table(
        f"Layers: one visualKNN by _id, one client, {len(crops.stored):,} records",
        ("asked at", "p50 ms", "p99 ms", "p50 beyond the row above"),
        _rows(times),
        [
            "In this process but the last, which has the server and its client in two others; medians.",
            f"The server's own share, all but the bare SQL: {median(http) - bare:.3f} ms.",
        ],
        [
            Target(
                f"the server's own share of a search by _id, {len(crops.stored):,} records",
                f"≤ {_SHARE} x the bare SQL",
                f"{share:.2f} x",
                share <= _SHARE,
            )
        ],
    )


def _rows(times: dict[str, list[float]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    above: float | None = None
    for name, values in times.items():
        here = median(values)
        rows.append(
            (
                name,
                f"{here:.3f}",
                f"{float(np.quantile(values, 0.99)):.2f}",
                "" if above is None else f"{here - above:+.3f}",
            )
        )
        above = here
    return rows


def _timed(ask: Callable[[int], object], count: int) -> list[float]:
    found = []
    for number in range(min(_ASKED, count)):
        watch = Stopwatch()
        ask(number)
        found.append(watch.seconds * 1000)
    return found


def _call(wsgi: WSGIApplication, scene: Scene, own: str) -> bytes:
    """Return the body of the application's answer.

    Raises:
        RuntimeError: it is not 200 OK.

    """
    body = orjson.dumps({"query_record": {"_id": own}, "k": K})
    environment: dict[str, object] = {}
    setup_testing_defaults(environment)
    environment |= {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": f"Token {scene.token}",
        "HTTP_COLLECTION_ID": scene.collection.name,
        "wsgi.input": io.BytesIO(body),
    }
    told: list[str] = []

    def start(status: str, headers: Sequence[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
        del headers, error
        told.append(status)
        return _write

    answer = b"".join(wsgi(environment, start))
    if not told[0].startswith("200"):
        raise RuntimeError(f"the application answered {told[0]}: {answer[:200]!r}")
    return answer


def _write(_: bytes) -> None:
    """Take what an old-fashioned application writes; this one writes nothing that way."""
