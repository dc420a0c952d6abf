"""Imports for tests: a collection, files with ready embeddings, and the job run in this process."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.domain.collections import Collection
from app.domain.jobs import Job, Reject
from app.services.context import Context
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests import pictures
from tests.support.jobs import QUICK


def vectors(count: int, dimensions: int = 256, seed: int = 0) -> list[list[float]]:
    made = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return [list(map(float, row)) for row in made / np.linalg.norm(made, axis=1, keepdims=True)]


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records))
    return path


def ask(context: Context, collection: Collection, path: Path, **given: Any) -> Job:
    given.setdefault("source", {"path": str(path)})
    return asking.start(context, IMPORT, collection, given, local="path" in given["source"], reserved="tests")[0]


def do(context: Context, job: Job) -> Job:
    worker = Worker(context, QUICK, [IMPORT], "tests")
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    return asking.get(context, job.id)


def run(context: Context, collection: Collection, path: Path, **given: Any) -> tuple[Job, list[Reject]]:
    """Import a file; return the job as it is then, and what it rejected."""
    job = do(context, ask(context, collection, path, **given))
    return job, list(asking.rejects(context, job.id))


def stored(context: Context, collection: Collection) -> Mapping[str, Any]:
    """Return the attributes of all records, by id."""
    rows = context.db.all(f"SELECT id, attributes FROM lookalike.records_{collection.id} ORDER BY id")
    return {
        row["id"]: json.loads(row["attributes"]) if isinstance(row["attributes"], str) else row["attributes"]
        for row in rows
    }


VECTORS = vectors(8)


def ready(number: int, **fields: Any) -> dict[str, Any]:
    return {"_id": f"r{number}", "n": number, "_embedding": VECTORS[number], **fields}


def write_table(path: Path, encoding: str = "utf-8", newline: str = "\n", delimiter: str = ",", mark: str = "") -> None:
    rows = [["_id", "n", "name", "price", "gone", "tags", "_embedding"]]
    for number in range(4):
        numbers = " ".join(map(repr, VECTORS[number]))
        rows.append([f"r{number}", str(number), "Schöne Jacke", f"{number}.50", "true", '"[""a"", ""b""]"', numbers])
    path.write_bytes((mark + newline.join(delimiter.join(row) for row in rows) + newline).encode(encoding))


def picture_bytes(number: int) -> bytes:
    return pictures.encoded(pictures.photo(number))


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def write_tar(path: Path, members: dict[str, bytes], mode: Any = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_folder(path: Path, members: dict[str, bytes]) -> None:
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


ARCHIVES: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "zip": write_zip,
    "tar": write_tar,
    "tar.gz": lambda path, members: write_tar(path, members, "w:gz"),
    "folder": write_folder,
}
