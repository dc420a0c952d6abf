"""Maps: how long a layout takes, how true it is, and how soon and how smoothly the console draws it.

Vectors beyond the crops that there are are crops with small changes. openTSNE lays 20,000 of them out, too, where it is
installed (`pip install openTSNE`): it is no dependency.
"""

import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.db import loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.jobs import State
from app.mapping.layout import Layout, beginning, edges
from app.mapping.neighbours import NEIGHBOURS, Comparison
from app.mapping.principal import principal
from app.services import maps
from app.services.jobs import asking
from app.services.jobs.map_job import MAP
from app.services.jobs.working import Worker, pace_of
from tests.bench.browsing import page_of
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch
from tests.bench.vectors import crops
from tests.support.rows import Kept

NAME = "bench-map"
POINTS = 100_000
_COMPARED = 20_000
_ASKED = 2_000
_MANY = 15
_CHANGE = 0.02  # of a number of a vector of unit length
_CHUNK = 2000
_LAYOUT_SECONDS, _OPEN_SECONDS, _FRAMES, _APART = 300.0, 2.0, 30.0, 0.02

Floats = NDArray[np.float32]

_READY = "() => document.querySelector('picture-map')?.dataset.ready && performance.now()"
_PAN = """
() => new Promise((resolve) => {
  const map = document.querySelector("picture-map"), canvas = map.querySelector("canvas"), box = canvas.getBoundingClientRect();
  const at = (n) => ({ bubbles: true, pointerId: 1, button: 0, buttons: 1, isPrimary: true, clientX: box.left + box.width / 2 + 120 * Math.sin(n / 9), clientY: box.top + box.height / 2 + 80 * Math.cos(n / 7) });
  const frames = [];
  let last = performance.now(), n = 0;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    canvas.dispatchEvent(new PointerEvent("pointermove", at(++n)));
    if (n < 200) return requestAnimationFrame(step);
    resolve(frames.slice(20));
  };
  requestAnimationFrame(step);
})
"""  # noqa: E501  (as it reads best)


def vectors(setup: Setup, model: str) -> Floats:
    """Return the vectors that are laid out, (100,000, dimensions) float32 of unit length."""
    found = crops(setup, model).stored.astype(np.float32)[:POINTS]
    random = np.random.default_rng(8)
    more = POINTS - len(found)
    if more > 0:
        chosen = found[random.integers(0, len(found), more)]
        found = np.concatenate((found, chosen + _CHANGE * random.standard_normal(chosen.shape, np.float32)))
    unit: Floats = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def measure(setup: Setup) -> Table:
    """Lay out 100,000 vectors by the job, open the map in a browser and move it, and compare a layout of 20,000."""
    collection, is_new = setup.lasting(f"{NAME}-{setup.vectors}")
    rows = vectors(setup, collection.model)
    if is_new:
        setup.tell(f"map: copying {len(rows)} vectors")
        _copy(setup, collection, rows)
    seconds, cpu = _laid_out(setup, collection)
    setup.tell("map: opening it in a browser")
    opened, frames = _looked_at(setup, collection)
    few = np.random.default_rng(2).permutation(rows)[:_COMPARED]
    ours, our_cpu = _ours(setup, few)
    theirs, their_cpu = _theirs(setup, few)
    rate = 1000 / float(np.mean(frames))
    table = [
        ("layout job, 100,000", f"{seconds:.0f} s", f"{cpu:.0f} CPU seconds"),
        ("opened, from the address to all points", f"{opened:.2f} s", ""),
        ("moved, frames a second", f"{rate:.0f}", f"a twentieth take {np.percentile(frames, 95):.0f} ms or more"),
        (f"trustworthiness, {_COMPARED:,}, {_MANY} neighbours", f"{ours:.4f}", f"{our_cpu:.0f} CPU seconds"),
        ("openTSNE of the same", theirs if isinstance(theirs, str) else f"{theirs:.4f}", their_cpu),
    ]
    targets = [
        Target("map: layout of 100,000", f"<= {_LAYOUT_SECONDS:.0f} s", f"{seconds:.0f} s", seconds <= _LAYOUT_SECONDS),
        Target("map: opens", f"<= {_OPEN_SECONDS:.0f} s", f"{opened:.2f} s", opened <= _OPEN_SECONDS),
        Target("map: moves", f">= {_FRAMES:.0f} frames/s", f"{rate:.0f}", rate >= _FRAMES),
    ]
    if not isinstance(theirs, str):
        wanted = f">= openTSNE's - {_APART}"
        targets.append(Target("map: trustworthiness", wanted, f"{ours:.4f} and {theirs:.4f}", ours >= theirs - _APART))
    return Table("Maps", ("what", "measured", ""), table, [], targets)


def _copy(setup: Setup, collection: Collection, rows: Floats) -> None:
    def records() -> Iterator[NewRecord]:
        for number, vector in enumerate(rows):
            yield NewRecord(f"{number}", "{}", vector)

    left = records()
    while chunk := list(islice(left, _CHUNK)):
        loads.copy(setup.context.db, collection, chunk)


def _laid_out(setup: Setup, collection: Collection) -> tuple[float, float]:
    """Do the job in this process; return its seconds, and those of processors."""
    setup.tell(f"map: laying out {POINTS} vectors")
    watch, cpu = Stopwatch(), time.process_time()
    worker = Worker(setup.context, pace_of(setup.context.settings), [MAP])
    job, _ = asking.start(setup.context, MAP, collection, {"anew": True}, reserved=worker.name)
    held = worker.take(job.id)
    if held is None:
        raise RuntimeError
    worker.do(held)
    if asking.get(setup.context, job.id).state is not State.DONE:
        raise worker.failure or RuntimeError
    if len(maps.points(setup.context, collection).points) != POINTS:
        raise RuntimeError
    return watch.seconds, time.process_time() - cpu


def _looked_at(setup: Setup, collection: Collection) -> tuple[float, Any]:
    with page_of(setup, collection) as (page, url):
        page.goto(f"{url}/map?c={collection.name}")  # to warm the server up
        page.wait_for_function(_READY)
        page.goto(f"{url}/map?c={collection.name}")
        opened = page.wait_for_function(_READY).json_value() / 1000
        page.wait_for_load_state("networkidle")
        box = page.locator("picture-map canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        frames = np.array(page.evaluate(_PAN))
        page.mouse.up()
        return float(opened), frames


def _ours(setup: Setup, rows: Floats) -> tuple[float, float]:
    setup.tell(f"map: laying out {len(rows)} vectors")
    cpu = time.process_time()
    axes = principal(Kept(rows), len(rows))
    neighbours, _ = Comparison(Kept(rows), len(rows), axes).nearest(0, len(rows))
    layout = Layout(beginning(axes.project(rows, 2), 1))
    for _ in layout.steps(edges(neighbours[:, :NEIGHBOURS])):
        pass
    return trustworthiness(rows, layout.points), time.process_time() - cpu


def _theirs(setup: Setup, rows: Floats) -> tuple[float | str, str]:
    if find_spec("openTSNE") is None:
        return "skipped", "openTSNE is not installed"
    setup.tell("map: openTSNE lays the same out")
    from openTSNE import TSNE

    cpu = time.process_time()
    laid = np.asarray(TSNE(perplexity=30, metric="cosine", random_state=1, n_jobs=2).fit(rows), np.float32)
    return trustworthiness(rows, laid), f"{time.process_time() - cpu:.0f} CPU seconds"


def trustworthiness(rows: Floats, points: Floats, many: int = _MANY) -> float:
    """Return how much neighbours on the map are neighbours indeed (Venna and Kaski), 0 to 1, of 2,000 at random."""
    total = len(rows)
    asked = np.random.default_rng(3).permutation(total)[:_ASKED]
    lost = 0.0
    for one in asked:
        similar = rows @ rows[one]
        similar[one] = np.inf
        ranks = np.empty(total, np.int64)
        ranks[np.argsort(-similar, kind="stable")] = np.arange(total)
        apart = ((points - points[one]) ** 2).sum(axis=1)
        apart[one] = np.inf
        near = ranks[np.argpartition(apart, many)[:many]]
        lost += float(np.maximum(near - many, 0).sum())
    return 1 - 2 * lost / (len(asked) * many * (2 * total - 3 * many - 1))
