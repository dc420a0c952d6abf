"""Whether what is found is of the same class as what was asked for, with photos that were held out."""

import base64
import math
from statistics import median

from app.db import records as table
from app.domain.collections import Collection
from app.domain.jsontext import loads
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.services.loading import load
from app.services.search import Search, visual_knn
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch, category, held_out

_K = 10
# What the default model reached on held-out photos of the clothing set when it was chosen.
_REFERENCE = (0.821, 0.755)
_BATCH = 500


def measure(setup: Setup, collection: Collection) -> Table:
    """Search for 1 photo in 10 of each class among the others, by its picture, through the service of visualKNN."""
    setup.tell("quality: searching for held-out photos")
    kept, queries = held_out(setup.photos)
    load(setup.context, collection, kept)
    ids = [item.id for item in queries]
    for start in range(0, len(ids), _BATCH):
        table.delete(setup.context.db, collection, ids[start : start + _BATCH])
    search = Search(setup.context, collection, Window(_K), Fields(names=("category",)))
    first: list[float] = []
    ten: list[float] = []
    milliseconds: list[float] = []
    for item in queries:
        record = {"_base64": base64.b64encode(item.read()).decode()}
        watch = Stopwatch()
        found = visual_knn(search, record).records
        milliseconds.append(watch.seconds * 1000)
        same = [_category(one) == category(item) for one in found]
        first.append(float(same[0]))
        ten.append(sum(same) / len(same))
    rows = []
    targets = []
    for name, values, reference in zip(("precision@1", "precision@10"), (first, ten), _REFERENCE, strict=True):
        mean, error = _mean(values)
        rows.append((name, f"{mean:.3f}", f"{error:.3f}", f"{reference:.3f}"))
        wanted = f"{reference:.3f} within two standard errors"
        targets.append(Target(f"same-class {name}", wanted, f"{mean:.3f} ± {error:.3f}", mean >= reference - 2 * error))
    return Table(
        "Quality: neighbours of the same class",
        ("figure", "measured", "standard error", "reference"),
        rows,
        [
            (
                f"{len(queries)} photos held out (1 in 10 of each class), searched for by picture among {len(kept)};"
                f" {median(milliseconds):.1f} ms a search in process (median)."
            ),
            "The reference is the default model's on the clothing photos; other pictures have other figures.",
        ],
        targets,
    )


def _category(found: Found) -> str:
    attributes = loads(found.attributes or "{}")
    return str(attributes.get("category", "")) if isinstance(attributes, dict) else ""


def _mean(values: list[float]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    return mean, math.sqrt(variance / len(values))
