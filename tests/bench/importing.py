"""Imports through the API's job: photos beside bare decoding and model, ready embeddings beside bare COPY and index."""

import io
import json
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import psycopg
from numpy.typing import NDArray

from app.db import indexes
from app.db import tokens as tokens_table
from app.db.engine import table_of
from app.db.records import halfvec_text
from app.domain.collections import Collection
from app.domain.tokens import Scope
from app.embedding.models import registry
from app.services import indexing, tokens
from tests.bench import loading
from tests.bench.report import Table, Target
from tests.bench.server import running
from tests.bench.setup import Setup, Stopwatch
from tests.db.vectors import random_vectors

_PHOTOS = "bench-import-photos"
_READY = "bench-import-ready"
_BARE = "bench-import-bare"
_WARM = "bench-import-warm"
_SHARE = 0.9
_TIMES = 1.3
_GROWTH_MB = 200
_CLUSTER = 20


@dataclass(frozen=True, slots=True)
class _Imported:
    """An import through a server took so long, until all was stored and in all, and its memory grew by so much."""

    seconds: float
    stored_after: float
    grown_mb: float
    outcome: Mapping[str, Any]


def measure(setup: Setup) -> Table:
    """Import the photos, and as many ready embeddings as `--vectors` says, by jobs of a server."""
    root = setup.home / "imports"
    root.mkdir(exist_ok=True)
    try:
        _write_photos(root / "photos.tar", setup)
        vectors = random_vectors(setup.vectors, 256, clusters=max(1, setup.vectors // _CLUSTER)).astype(np.float32)
        _write_ready(root / "ready.jsonl", vectors)
        (root / "one.jsonl").write_text(_line(0, vectors[0]))
        with setup.collection(_BARE) as collection:
            setup.tell(f"imports: bare COPY and CREATE INDEX of {setup.vectors} embeddings")
            bare = _bare(setup, collection, vectors)
        with setup.collection(_PHOTOS) as photos, setup.collection(_READY) as ready, setup.collection(_WARM) as warm:
            embedder = registry.load(photos.model, setup.context.models.options, setup.context.settings.model_threads)
            with _server(setup, root) as server:
                server.imported(warm.name, "photos.tar", most=1)
                before = loading.measured_parts(setup, embedder)
                setup.tell(f"imports: {len(setup.photos)} photos by a job")
                first = server.imported(photos.name, "photos.tar")
                after = loading.measured_parts(setup, embedder)
                setup.tell(f"imports: {setup.vectors} ready embeddings by a job")
                second = server.imported(ready.name, "ready.jsonl")
    finally:
        for path in root.iterdir():
            path.unlink()
    decoding, model = (median([getattr(before, name), getattr(after, name)]) for name in ("decoding", "model"))
    return _table(setup, first, second, bare, decoding, model)


def _table(
    setup: Setup, photos: _Imported, ready: _Imported, bare: tuple[float, float], decoding: float, model: float
) -> Table:
    rate, slower, whole = len(setup.photos) / photos.seconds, min(decoding, model), sum(bare)
    grown = max(photos.grown_mb, ready.grown_mb)
    return Table(
        "Imports by jobs of a server",
        ("what", "records", "seconds", "records/s"),
        [
            ("photos, by a job", str(len(setup.photos)), f"{photos.seconds:.1f}", f"{rate:.0f}"),
            (f"bare decoding and resizing, {setup.decode_threads} threads", "", "", f"{decoding:.0f}"),
            ("bare model", "", "", f"{model:.0f}"),
            _row("ready embeddings with attributes, by a job, indexed", setup.vectors, ready.seconds),
            _row("the same, until all are stored", setup.vectors, ready.stored_after),
            _row("bare COPY and CREATE INDEX", setup.vectors, whole),
            _row("bare COPY", setup.vectors, bare[0]),
        ],
        [
            (
                f"The server grew by {photos.grown_mb:.0f} MB with photos and by {ready.grown_mb:.0f} MB with ready"
                " embeddings, beyond that of its first pictures."
            ),
            f"Of the photos became: {json.dumps(photos.outcome)}.",
        ],
        [
            Target(
                "photos by a job / slower of bare model and bare decoding", f"≥ {_SHARE}", f"{rate / slower:.2f}",
                rate >= _SHARE * slower,
            ),
            Target(
                "ready embeddings by a job / bare COPY and CREATE INDEX", f"≤ {_TIMES}", f"{ready.seconds / whole:.2f}",
                ready.seconds <= _TIMES * whole,
            ),
            Target("memory beyond the model", f"≤ {_GROWTH_MB} MB", f"{grown:.0f} MB", grown <= _GROWTH_MB),
            Target(
                "everything imported", f"{len(setup.photos)} and {setup.vectors}",
                f"{photos.outcome['stored']} and {ready.outcome['stored']}",
                photos.outcome["stored"] == len(setup.photos) and ready.outcome["stored"] == setup.vectors,
            ),
        ],
    )  # fmt: skip


def _row(name: str, records: int, seconds: float) -> tuple[str, ...]:
    return name, str(records), f"{seconds:.1f}", f"{records / seconds:.0f}"


def _write_photos(path: Path, setup: Setup) -> None:
    with tarfile.open(path, "w") as archive:
        for item in setup.photos:
            data = item.read()
            info = tarfile.TarInfo(item.id)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def _attributes(number: int) -> dict[str, Any]:
    return {"price": number % 500, "brand": f"b{number % 40}", "sizes": ["S", "M"]}


def _line(number: int, vector: NDArray[np.float32]) -> str:
    fields = json.dumps({"_id": f"r{number}", **_attributes(number)})
    return f'{fields[:-1]}, "_embedding": {halfvec_text(vector)}}}\n'


def _write_ready(path: Path, vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> None:
    with path.open("w") as file:
        file.writelines(_line(number, vector) for number, vector in enumerate(vectors))


def _bare(setup: Setup, collection: Collection, vectors: NDArray[np.float32]) -> tuple[float, float]:
    """Return the seconds of COPY into an empty collection's table, as text that is at hand, and of its index."""
    rows = [
        f"{collection.id}\tr{number}\t{json.dumps(_attributes(number))}\t{halfvec_text(vector)}\n"
        for number, vector in enumerate(vectors)
    ]
    columns = "(collection_id, id, attributes, embedding)"
    watch = Stopwatch()
    with (
        psycopg.connect(setup.context.db.url) as connection,
        connection.cursor().copy(f"COPY {table_of(collection)} {columns} FROM STDIN") as stream,
    ):
        for place in range(0, len(rows), 100):
            stream.write("".join(rows[place : place + 100]))
    copied = watch.seconds
    del rows
    watch = Stopwatch()
    indexes.build_hnsw(setup.context.db, collection, indexing.resources(setup.context.settings))
    return copied, watch.seconds


class _Server:
    """A server that is asked for imports, and whose memory is watched."""

    def __init__(self, port: int, token: str) -> None:
        self._url = f"http://127.0.0.1:{port}/jobs/v1"
        self._token = token

    def _call(self, path: str, collection: str = "", body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Token {self._token}", "collection-id": collection}
        headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self._url}/{path}", data, headers)) as answer:
            return dict(json.load(answer))

    def imported(self, collection: str, path: str, most: int | None = None) -> _Imported:
        """Import a file below the files root; with `most`, let go after so many records."""
        watch = Stopwatch()
        with _memory() as grown:
            job = self._call("import", collection, {"source": {"path": path}})
            stored_after = 0.0
            while job["finished_at"] is None:
                time.sleep(0.05)
                job = self._call(f"jobs/{job['id']}")
                if job["progress"]["phase"] == "importing":
                    stored_after = watch.seconds
                if most is not None and job["progress"]["done"] >= most:
                    job = self._call(f"jobs/{job['id']}/cancel", body={})
            seconds = watch.seconds
        return _Imported(seconds, stored_after, grown[0], job["outcome"] or {})


@contextmanager
def _server(setup: Setup, root: Path) -> Iterator[_Server]:
    names = [_PHOTOS, _READY, _WARM]
    token = tokens.create(setup.context, [Scope.READ, Scope.WRITE], names, "bench")
    environment = setup.environment | {"LOOKALIKE_FILES_ROOT": str(root)}
    try:
        setup.tell("imports: starting a server")
        with running(environment, setup.home / "server.log") as port:
            yield _Server(port, token.token)
    finally:
        tokens_table.revoke(setup.context.db, token.id)


@contextmanager
def _memory() -> Iterator[list[float]]:
    """Watch the memory of the server that this process has started; give by how many MB it grows at most."""
    ended, grown = threading.Event(), [0.0]
    family = [one for one in psutil.Process().children(recursive=True) if "serve" in one.cmdline()]

    def mb() -> float:
        return float(sum(one.memory_info().rss for one in family)) / 1e6

    def watch(before: float) -> None:
        while not ended.wait(0.1):
            grown[0] = max(grown[0], mb() - before)

    thread = threading.Thread(target=watch, args=(mb(),))
    thread.start()
    try:
        yield grown
    finally:
        ended.set()
        thread.join()
