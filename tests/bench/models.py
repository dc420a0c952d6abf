"""How fast each model is, from a JPEG's bytes to a vector, and whether memory stays flat; in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from app.domain.errors import LookalikeError
from app.embedding.models import registry
from app.embedding.models.options import accelerators
from tests.bench.modelrun import Job, Measured
from tests.bench.report import Table, Target
from tests.bench.setup import Setup
from tests.support.small_vit import write_small_vit

_MODELS = ("efficientnet-lite0", "color-palette", "phash", "pdq")
_VIT = "ViT, 5.5 M random weights"
_SAMPLE = 64
_CORES = (1, 2)
# Of the first pictures; what is allocated in between is kept by the allocator, not by the models.
_GROWTH_MIB = 32


def measure(setup: Setup, pictures: int) -> Table:
    """Measure every model that is at hand on 1 and 2 cores, and on a GPU where there is one.

    Args:
        setup: with the photos to take as a sample.
        pictures: how many go through each model while its memory is watched.

    """
    sample = _sample(setup)
    rows = []
    worst = 0.0
    for name, model in _models(setup.home):
        for device, cores in _places():
            setup.tell(f"models: {name} on {device}, {cores} core(s), {pictures} pictures")
            found = _run(Job(model, device, cores, str(sample), setup.seconds, pictures))
            worst = max(worst, found.grown_mib)
            rows.append(_row(name, cores, found))
    return Table(
        "Models: pictures a second, from a JPEG's bytes to a vector",
        (
            "model",
            "cores",
            "runs on",
            "JPEG to vector",
            "model alone",
            "decoding alone",
            "JPEG to vector, a CPU second",
            "model alone, a CPU second",
            "RSS MiB",
            "grown MiB",
        ),
        rows,
        [
            f"{min(_SAMPLE, len(setup.photos))} photos, in turn; each line a fresh process held to so many cores.",
            "Model alone: random input, in batches as it takes them. Decoding alone: no model, a thread a core.",
            "A CPU second: by processor time, all cores added, which other work on the machine hardly changes.",
            f"RSS after {_SAMPLE} pictures, and how much it grew over the {pictures} after them.",
        ],
        [Target("memory of a model stays flat", f"≤ {_GROWTH_MIB} MiB", f"{worst:.0f} MiB", worst <= _GROWTH_MIB)],
    )


def _models(home: Path) -> Iterator[tuple[str, str]]:
    """Yield what models are called in the table, and their names."""
    yield from ((name, name) for name in _MODELS if registry.MODELS[name].at_hand)
    yield _VIT, str(write_small_vit(home / "small-vit"))


def _places() -> Iterator[tuple[str, int]]:
    there = os.cpu_count() or 1
    yield from (("cpu", cores) for cores in _CORES if cores <= there)
    yield from ((device, there) for device in accelerators())


def _sample(setup: Setup) -> Path:
    """Write some of the photos into a folder that the processes read."""
    folder = setup.home / "models-sample"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    step = max(1, len(setup.photos) // _SAMPLE)
    for number, item in enumerate(setup.photos[::step][:_SAMPLE]):
        (folder / f"{number:03}").write_bytes(item.read())
    return folder


def _run(job: Job) -> Measured:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.modelrun"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LookalikeError(f"measuring {job.model} failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    return Measured(**json.loads(done.stdout))


def _row(name: str, cores: int, found: Measured) -> tuple[str, ...]:
    rates = (found.whole, found.model, found.decoding, found.whole_processor, found.model_processor)
    return (
        name,
        str(cores),
        found.runs_on,
        *(f"{rate:.0f}" for rate in rates),
        f"{found.rss_mib:.0f}",
        f"{found.grown_mib:.1f}",
    )
