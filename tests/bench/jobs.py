"""How long searches take while the server's own worker does an import, beside without one, in turns."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from app.db import indexes, loads
from app.db import tokens as tokens_table
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.jobs import Job, State
from app.domain.records import Json
from app.domain.tokens import Scope
from app.services import tokens
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from tests.bench.clients import Clients, Round
from tests.bench.report import Table, Target
from tests.bench.server import running, worker
from tests.bench.serving import K, Scene
from tests.bench.setup import Setup

_CLIENTS = (1, 4)
_IN_SERVER, _OWN_PROCESS = "in the server", "a process of its own"
_PLACES = (_IN_SERVER, _OWN_PROCESS)
_ROUNDS = 3
_READY = 300_000  # ready embeddings, more than are imported meanwhile
_PHOTOS = 400
_COPIES = 5  # of each photo, each of other bytes
_ASKED = 1000
_MOST = 2.0
_WAIT_SECONDS = 30


def measure(setup: Setup, searched: Collection, imported: Collection) -> Table:
    """Search one collection by `_id` while records go into another one, and into the same."""
    folder = setup.home / "jobs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    setup.tell(f"jobs: {setup.vectors} vectors and their index, {_READY} lines to import")
    found = _fill(setup, searched)
    _write_lines(folder / "ready.jsonl", found.dimensions)
    _write_photos(setup, folder / "photos")
    ids = [str(number) for number in np.random.default_rng(3).integers(setup.vectors, size=_ASKED)]
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    sources = (
        ("pictures into another collection", imported, "photos"),
        ("embeddings into another collection", imported, "ready.jsonl"),
        ("embeddings into the same collection", found, "ready.jsonl"),
    )
    token = tokens.create(setup.context, [Scope.READ], [found.name], "benchmark")
    try:
        for place in _PLACES:
            with (
                _serving(setup, folder, place) as port,
                Clients(Scene(port, token.token, found).job([{"_id": one} for one in ids])) as clients,
            ):
                for name, collection, source in sources:
                    with _import(setup, collection, source) as job:
                        for number in _CLIENTS:
                            setup.tell(f"jobs: {name}, {place}, {number} clients")
                            row, ratio = _beside(setup, clients, number, job)
                            rows.append((name, place, str(number), *row))
                            setup.tell(f"jobs: {' '.join(row)}")
                            told = f"p99 beside {name}, {place}, {number} client{'s' if number > 1 else ''}"
                            targets.append(Target(told, f"≤ {_MOST:g} x without", f"{ratio:.2f} x", ratio <= _MOST))
    finally:
        tokens_table.revoke(setup.context.db, token.id)
        shutil.rmtree(folder, ignore_errors=True)
    header = (
        "import of",
        "worker",
        "clients",
        "p50 without",
        "p99 without",
        "p50 beside",
        "p99 beside",
        "ratio",
        "imported/s",
    )
    note = (
        f"milliseconds; visualKNN by _id, k {K}, {setup.vectors} vectors; {_ROUNDS} rounds with the import and as many"
        " without, in turns: one job, which is paused and resumed; one worker, in the server's process or in its own"
    )
    return Table("Searches beside an import", header, rows, [note], targets)


@contextmanager
def _serving(setup: Setup, folder: Path, place: str) -> Iterator[int]:
    """Start a server, and a worker of its own process where the server has none; give the server's port."""
    own = place == _OWN_PROCESS
    environment = setup.environment | {
        "LOOKALIKE_FILES_ROOT": str(folder),
        "LOOKALIKE_JOB_WORKERS": "0" if own else "1",
        # No import ends with an index that is built: it could not be paused meanwhile.
        "LOOKALIKE_INDEX_ROWS": str(2**31 - 1),
    }
    with (
        running(environment, setup.home / "server.log") as port,
        worker(environment, setup.home / "worker.log") if own else nullcontext(),
    ):
        yield port


def _beside(setup: Setup, clients: Clients, number: int, job: int) -> tuple[tuple[str, ...], float]:
    """Return the cells of a row, and how many times as long p99 is beside the import."""
    without, beside, rates = [], [], []
    for _ in range(_ROUNDS):
        without.append(clients.round(number, setup.seconds))
        asking.resume(setup.context, job)
        before = _once(setup, job, State.RUNNING)
        beside.append(clients.round(number, setup.seconds))
        after = asking.get(setup.context, job)
        if after.state != State.RUNNING:
            raise RuntimeError(f"the import was {after.state} before the searches had ended: {after.error}")
        rates.append((after.progress.done - before.progress.done) / setup.seconds)
        asking.pause(setup.context, job)
        _once(setup, job, State.PAUSED)
    plain, busy = _all(without), _all(beside)
    ratio = busy.p99 / plain.p99
    figures = (plain.p50, plain.p99, busy.p50, busy.p99, ratio)
    return (*(f"{figure:.2f}" for figure in figures), f"{np.mean(rates):.0f}"), ratio


def _all(rounds: Sequence[Round]) -> Round:
    errors = sum(one.errors for one in rounds)
    if errors:
        raise RuntimeError(f"{errors} searches failed; see the server's log")
    return Round([each for one in rounds for each in one.milliseconds], 0, sum(one.seconds for one in rounds))


def _once(setup: Setup, job: int, state: State) -> Job:
    found = asking.get(setup.context, job)
    for _ in range(_WAIT_SECONDS):
        if found.state == state:
            return found
        found = asking.wait(setup.context, job, asking.EVERYTHING, 1)
    raise RuntimeError(f"the import is {found.state}, and was to be {state}: {found.error}")


@contextmanager
def _import(setup: Setup, collection: Collection, source: str) -> Iterator[int]:
    """Give a job that pauses, and cancel it at the end."""
    given: dict[str, Json] = {"source": {"path": source}}
    job = asking.start(setup.context, IMPORT, collection, given, reserved="nobody yet")[0].id
    asking.pause(setup.context, job)
    try:
        yield job
    finally:
        if not asking.get(setup.context, job).ended:  # why it did is told already
            asking.cancel(setup.context, job)


def _fill(setup: Setup, collection: Collection) -> Collection:
    made = np.random.default_rng(1)
    for start in range(0, setup.vectors, 2000):
        numbers = range(start, min(setup.vectors, start + 2000))
        vectors = _unit(made, len(numbers), collection.dimensions)
        rows = [NewRecord(str(n), f'{{"n": {n}}}', vector) for n, vector in zip(numbers, vectors, strict=True)]
        loads.copy(setup.context.db, collection, rows)
    indexes.build_hnsw(setup.context.db, collection)
    setup.context.lookup.forget(collection.name)
    return setup.context.lookup.collection(collection.name)


def _unit(made: np.random.Generator, count: int, dimensions: int) -> NDArray[np.float32]:
    vectors = made.standard_normal((count, dimensions), np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _write_lines(file: Path, dimensions: int) -> None:
    made = np.random.default_rng(2)
    with file.open("w") as stream:
        for start in range(0, _READY, 1000):
            for n, vector in enumerate(_unit(made, 1000, dimensions), start):
                numbers = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()
                stream.write(f'{{"_id": "new{n}", "n": {n}, "_embedding": {numbers}}}\n')


def _write_photos(setup: Setup, folder: Path) -> None:
    """Write the photos several times, each with bytes of its own behind its end."""
    folder.mkdir()
    for number, item in enumerate(setup.photos[:_PHOTOS]):
        data = item.read()
        for copy in range(_COPIES):
            (folder / f"{number}-{copy}{Path(item.id).suffix}").write_bytes(data + json.dumps(copy).encode())
