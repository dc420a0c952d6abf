"""Runs every engine in processes of its own on the same records and queries, and judges what comes back."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from app.db.engine import connect
from tests.bench.peers import plain, worker
from tests.bench.peers.base import CANDIDATES, CUTOFF, FACET, GROUP, GROUPS, PEERS, VARIED, Peer, Stock
from tests.bench.peers.job import Job, Outcome, Round, read_outcome
from tests.bench.peers.truth import Judged, Refined, Truth
from tests.bench.setup import Setup
from tests.bench.shop import PRICES, Condition, Shop, Visit, shop, visits
from tests.bench.vectors import Crops

K = 20
QUERIES = 200
FILTERED_QUERIES = 40
_ROUND_SECONDS = 3.0
_SINGLE = 100
_BULK = 10_000
_TIMEOUT_SECONDS = 900
_COLLECTION = "bench-peers"
_CHEAP = [Condition(below=0.05 * PRICES)] * FILTERED_QUERIES
REFINED: dict[str, tuple[str, list[Condition] | None]] = {
    "a facet of all records": (FACET, None),
    "a facet of price, 5 %": (FACET, _CHEAP),
    f"k {K}, within a radius that nothing meets": (CUTOFF, None),
    f"varied {K} of {CANDIDATES} candidates": (VARIED, None),
    f"groups of {GROUP} by category": (GROUPS, None),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one engine; where it failed or is not installed, `failure` says why and the rest is None."""

    peer: Peer
    failure: str | None = None
    built: Outcome | None = None
    searched: Outcome | None = None
    efforts: tuple[tuple[int | None, Judged], ...] = ()
    visits: tuple[tuple[str, Judged], ...] = ()
    update_seen: bool = False
    refined: tuple[tuple[str, Refined], ...] = ()
    """What it has of `REFINED`, by name."""

    def visit(self, name: str) -> Judged | None:
        """Return what came of one kind of filter."""
        return dict(self.visits).get(name)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all engines share."""

    setup: Setup
    stock: Stock
    truth: Truth
    shop: Shop
    visits: Sequence[Visit]
    folder: Path


def compare(setup: Setup, made: Crops, peers: Sequence[Peer] = PEERS) -> list[Result]:
    """Measure one engine after the other."""
    attributes = shop(made)
    vectors = made.stored.astype(np.float32)
    queries = made.queries[:QUERIES].astype(np.float32)
    asked = visits(attributes, made, queries[:FILTERED_QUERIES])
    with tempfile.TemporaryDirectory(dir=setup.home, prefix="peers-") as name:
        folder = Path(name)
        (folder / "stock").mkdir()
        stock = Stock.write(folder / "stock", vectors, attributes.price, attributes.category.tolist())
        np.save(folder / "stock" / "queries.npy", queries)
        scene = _Scene(setup, stock, Truth(vectors, queries, attributes, K), attributes, asked, folder)
        del vectors
        return [_measured(scene, peer) for peer in peers]


def _measured(scene: _Scene, peer: Peer) -> Result:
    try:
        for package in peer.packages:
            version(package)
    except PackageNotFoundError as error:
        return Result(peer, f"not installed ({error.name}): pip install 'lookalike[peers]'")
    folder = scene.folder / peer.module
    folder.mkdir()
    try:
        with _stage(scene.setup, peer):
            scene.setup.tell(f"peers: {peer.name}, building")
            built = _process(scene, peer, _job(scene, peer, "build", ()))
            scene.setup.tell(f"peers: {peer.name}, searching")
            filtered = built.filters
            rounds = _rounds(scene, peer, filtered=filtered)
            job = _job(scene, peer, "search", rounds, updates=filtered)
            searched = _process(scene, peer, job)
    except _Failed as failure:
        scene.setup.tell(f"peers: {peer.name} failed: {failure}")
        return Result(peer, f"failed: {failure}")
    finally:
        shutil.rmtree(folder)
    judged = {one.name: scene.truth.judge(one, searched.rounds[one.name]) for one in rounds if not one.way}
    return Result(
        peer,
        None,
        built,
        searched,
        tuple((effort, judged[_effort_name(effort)]) for effort in peer.efforts),
        tuple((visit.name, judged[visit.name]) for visit in scene.visits if filtered),
        _seen(scene, job, searched),
        tuple((name, scene.truth.refined(one, searched.rounds[name])) for name, one in _refined(peer).items()),
    )


@contextmanager
def _stage(setup: Setup, peer: Peer) -> Iterator[None]:
    """Make what an engine in PostgreSQL needs, and drop it at the end."""
    if peer.module == "own":
        with setup.collection(_COLLECTION):
            yield
    elif peer.module == "plain":
        try:
            yield
        finally:
            with connect(setup.context.db.url) as connection:
                connection.execute(plain.DROP)
    else:
        yield


def _rounds(scene: _Scene, peer: Peer, *, filtered: bool) -> list[Round]:
    rounds = [Round(_effort_name(effort), effort, None, QUERIES, _ROUND_SECONDS) for effort in peer.efforts]
    if filtered:
        rounds += [
            Round(visit.name, peer.default_effort, visit.conditions, FILTERED_QUERIES, _ROUND_SECONDS)
            for visit in scene.visits
        ]
    return rounds + list(_refined(peer).values())


def _refined(peer: Peer) -> dict[str, Round]:
    """Return the rounds of what an engine has beside the nearest records, by name."""
    return {
        name: Round(name, None, conditions, FILTERED_QUERIES, _ROUND_SECONDS, way)
        for name, (way, conditions) in REFINED.items()
        if way in peer.refined
    }


def _effort_name(effort: int | None) -> str:
    return f"effort {effort or 'default'}"


def _job(scene: _Scene, peer: Peer, phase: str, rounds: Sequence[Round], *, updates: bool = False) -> Job:
    return Job(
        peer.module,
        phase,
        str(scene.folder / peer.module),
        str(scene.stock.folder),
        scene.setup.context.db.url,
        _COLLECTION,
        K,
        rounds,
        single=_SINGLE if updates else 0,
        bulk=min(_BULK, scene.stock.shape[0] // 2) if updates else 0,
    )


class _Failed(Exception):
    """An engine's process did not do what it was told; the message is its last word."""


def _process(scene: _Scene, peer: Peer, job: Job) -> Outcome:
    told, answer, log = (scene.folder / f"{peer.module}-{job.phase}.{end}" for end in ("job", "json", "log"))
    told.write_bytes(job.json())
    command = [sys.executable, "-m", worker.__name__, str(told), str(answer)]
    with log.open("wb") as stream:
        try:
            done = subprocess.run(command, stdout=stream, stderr=stream, timeout=_TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise _Failed(f"{job.phase} took longer than {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise _Failed(f"{job.phase}: {lines[-1] if lines else f'ended with status {done.returncode}'}")
    return read_outcome(answer.read_bytes())


def _seen(scene: _Scene, job: Job, searched: Outcome) -> bool:
    """Say whether a search for the new price gave k of the updated records and nothing else."""
    if searched.updates is None:
        return False
    changed = set(worker.updated(scene.stock.shape[0], job))
    found = searched.updates.found
    return len(set(found)) == min(K, len(changed)) and changed.issuperset(found)
