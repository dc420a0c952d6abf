"""Does a model work here, and how fast? Loads it and runs pictures through it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.errors import ImageError, InvalidRequest
from app.domain.options import ImageLimits
from app.embedding.models.base import Embedder, ModelFacts, Prepared
from app.embedding.pictures.images import decode

_LEAST_SECONDS = 1.0
_DECODE_PIXELS = 448


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of a check of a model.

    Attributes:
        facts: what is known of it.
        runs_on: device and number type.
        pooling: how one vector is made of what the network gives; `none` where there is no network.
        pictures: how many different ones went through.
        longest_off: greatest difference of a vector's length from 1.
        per_second: pictures a second from encoded bytes to vectors, one thread decoding, in turn with the model.
        model_per_second: pictures a second through the model alone.

    """

    facts: ModelFacts
    runs_on: str
    pooling: str
    pictures: int
    longest_off: float
    per_second: float
    model_per_second: float


def check(embedder: Embedder, pictures: Sequence[tuple[str, bytes]], limits: ImageLimits) -> Checked:
    """Run pictures, each with a name for errors, through a loaded model.

    Raises:
        InvalidRequest: a picture cannot be read, or the model gives no finite vectors of unit length for one.

    """
    prepared = [_prepared(embedder, name, data, limits) for name, data in pictures]
    for (name, _), one in zip(pictures, prepared, strict=True):
        _embedded(embedder, name, [one])
    rows = _embedded(embedder, "all pictures together", prepared)
    off = float(np.abs(np.linalg.norm(rows, axis=1) - 1).max())
    if off > 1e-3:
        raise InvalidRequest(f"the model {embedder.facts.name!r} gives vectors that are not of unit length ({off} off)")

    def whole() -> None:
        embedder.embed([_prepared(embedder, name, data, limits) for name, data in pictures])

    return Checked(
        embedder.facts,
        embedder.runs_on,
        embedder.pooling,
        len(pictures),
        off,
        len(pictures) * _rate(whole),
        len(pictures) * _rate(lambda: embedder.embed(prepared)),
    )


def _prepared(embedder: Embedder, name: str, data: bytes, limits: ImageLimits) -> Prepared:
    try:
        return embedder.prepare(decode(data, limits, target=_DECODE_PIXELS))
    except ImageError as error:
        raise InvalidRequest(f"{name}: {error}") from error


def _embedded(embedder: Embedder, name: str, prepared: Sequence[Prepared]) -> np.ndarray:
    try:
        rows = embedder.embed(prepared)
    except ValueError as error:
        raise InvalidRequest(
            f"the model {embedder.facts.name!r} gives no finite vector for {name}: its weights are damaged, or it needs"
            " LOOKALIKE_MODEL_DTYPE=fp32"
        ) from error
    if rows.shape != (len(prepared), embedder.facts.dimensions) or not np.isfinite(rows).all():
        raise InvalidRequest(f"the model {embedder.facts.name!r} gives no finite vector for {name}")
    return rows


def _rate(work: Callable[[], object]) -> float:
    """Return how often a second something can be done, over one second at least."""
    times = 0
    start = time.perf_counter()
    while (seconds := time.perf_counter() - start) < _LEAST_SECONDS:
        work()
        times += 1
    return times / seconds
