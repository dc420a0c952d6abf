"""Ready embeddings through an import's job, beside bare COPY and CREATE INDEX with the same settings.

Run by itself: `python -m tests.bench.importing URL [RECORDS]`, on a database that may be written to.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from app import create_context
from app.config import Settings
from app.db import indexes, schema
from app.db.engine import Connection, table_of
from app.db.records import halfvec_text
from app.services import collections, indexing
from app.services.context import Context
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from app.services.jobs.working import Worker


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def bare(context: Context, rows: list[tuple[str, str, str]]) -> float:
    """Return the seconds of COPY into an empty collection's table, and of its index."""
    collection = collections.create(context, "bare", "photo")
    began = time.perf_counter()

    def copy(connection: Connection) -> None:
        text = f"COPY {table_of(collection)} (collection_id, id, attributes, embedding) FROM STDIN"
        with connection.cursor().copy(text) as stream:
            for row in rows:
                stream.write_row((collection.id, *row))

    context.db.write(copy)
    indexes.build_hnsw(context.db, collection, indexing.resources(context.settings))
    return time.perf_counter() - began


def imported(context: Context, file: Path) -> tuple[float, float]:
    """Return the seconds of an import of the same rows, and those until the last was stored."""
    collection = collections.create(context, "imported", "photo")
    worker = Worker(context)
    began = time.perf_counter()
    job = asking.start(context, IMPORT, collection, {"source": {"path": str(file)}}, local=True, reserved=worker.name)[
        0
    ]
    held = worker.take(job.id)
    assert held is not None
    stored: list[float] = []
    worker.do(held, lambda one: stored.append(time.perf_counter()) if one.progress.phase == "importing" else None)
    job = asking.get(context, job.id)
    assert job.outcome["stored"] == job.progress.total, job  # type: ignore[call-overload, index]
    return time.perf_counter() - began, stored[-1] - began


def main(url: str, records: int) -> None:
    """Print both times and their ratio."""
    schema.upgrade(url)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        context = create_context(Settings(home=Path(folder), statement_timeout_ms=600_000), url)
        context.open()
        rows = []
        with (Path(folder) / "records").open("w") as file:
            for number in range(records):
                vector = generator.normal(size=256).astype(np.float32)
                vector /= np.linalg.norm(vector)
                attributes = {"price": number % 500, "brand": f"b{number % 40}", "sizes": ["S", "M"]}
                text = halfvec_text(vector)
                rows.append((f"r{number}", json.dumps(attributes), text))
                file.write(f'{json.dumps({"_id": f"r{number}", **attributes})[:-1]}, "_embedding": {text}}}\n')
        first = bare(context, rows)
        del rows
        before = _peak_mb()
        whole, stored = imported(context, Path(folder) / "records")
        print(  # noqa: T201
            f"{records} records: bare COPY and index {first:.1f} s; import {whole:.1f} s ({stored:.1f} s to store),"
            f" ratio {whole / first:.2f}; peak memory grew by {_peak_mb() - before} MB"
        )
        context.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
