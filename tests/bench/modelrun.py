"""One model measured in this process, which is held to so many cores: a job in JSON on stdin, figures on stdout.

python -m tests.bench.modelrun < job.json
"""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models import registry
from app.embedding.models.base import Embedder, Prepared
from app.embedding.pictures.images import decode
from app.services.vectors import DECODE_PIXELS

_AHEAD = 32
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be measured.

    Attributes:
        model: name, id or folder.
        device: as in `ModelOptions`.
        cores: to be held to; as many threads decode, and the model gets as many.
        sample: folder of pictures.
        seconds: how long the model and the decoding are measured alone.
        pictures: how many go all the way, while memory is watched.

    """

    model: str
    device: str
    cores: int
    sample: str
    seconds: float
    pictures: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Pictures a second, and memory in MiB: `rss_mib` once everything has run, `grown_mib` by how much it grew then.

    `whole_processor` and `model_processor` are pictures a second of processor time, all cores added: what other work on
    the machine does not change much.
    """

    runs_on: str
    whole: float
    model: float
    decoding: float
    whole_processor: float
    model_processor: float
    rss_mib: float
    grown_mib: float


def run(job: Job) -> Measured:
    """Measure one model in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.cores])
    embedder = registry.load(job.model, ModelOptions(device=job.device), job.cores)
    batch = int(getattr(embedder, "batch", 8))
    pictures = [path.read_bytes() for path in sorted(Path(job.sample).iterdir())]
    with ThreadPoolExecutor(job.cores, thread_name_prefix="decode") as pool:
        decoding = _decoding(pool, pictures, job.seconds)
        made = _random_like(embedder.prepare(_decoded(pictures[0])), batch)
        model, model_processor = _rates(batch, lambda: embedder.embed(made), job.seconds)
        _through(pool, embedder, batch, pictures)
        before = _rss()
        start, processor = time.perf_counter(), time.process_time()
        _through(pool, embedder, batch, islice(cycle(pictures), job.pictures))
        whole = job.pictures / (time.perf_counter() - start)
        whole_processor = job.pictures / (time.process_time() - processor)
    return Measured(
        embedder.runs_on,
        whole,
        model,
        decoding,
        whole_processor,
        model_processor,
        before / _MIB,
        (_rss() - before) / _MIB,
    )


def _through(pool: ThreadPoolExecutor, embedder: Embedder, batch: int, pictures: Iterable[bytes]) -> None:
    """Bring pictures all the way, as a bulk load does: decoded in threads a bounded way ahead of the model."""

    def work(data: bytes) -> Prepared:
        return embedder.prepare(_decoded(data))

    source = iter(pictures)
    running: deque[Future[Prepared]] = deque(pool.submit(work, data) for data in islice(source, max(_AHEAD, 2 * batch)))
    ready: list[Prepared] = []
    while running:
        ready.append(running.popleft().result())
        running.extend(pool.submit(work, data) for data in islice(source, 1))
        if len(ready) == batch or not running:
            embedder.embed(ready)
            ready.clear()


def _decoding(pool: ThreadPoolExecutor, pictures: Sequence[bytes], seconds: float) -> float:
    return _rates(len(pictures), lambda: list(pool.map(_decoded, pictures)), seconds)[0]


def _decoded(data: bytes) -> Image.Image:
    return decode(data, ImageLimits(), target=DECODE_PIXELS)


def _random_like(one: Prepared, count: int) -> list[Prepared]:
    random = np.random.default_rng(1)
    if one.dtype == np.uint8:
        return [random.integers(0, int(one.max()) + 1, one.shape, np.uint8) for _ in range(count)]
    return [random.standard_normal(one.shape).astype(one.dtype) for _ in range(count)]


def _rates(pictures: int, work: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return pictures a second by the clock and by processor time, of work that does so many at a time."""
    work()
    times = 0
    start, processor = time.perf_counter(), time.process_time()
    while (taken := time.perf_counter() - start) < seconds or not times:
        work()
        times += 1
    return pictures * times / taken, pictures * times / max(time.process_time() - processor, 1e-9)


def _rss() -> float:
    return float(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    json.dump(asdict(run(Job(**json.load(sys.stdin)))), sys.stdout)
