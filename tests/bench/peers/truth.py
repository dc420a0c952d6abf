"""What the true answers are, and how near the answers of an engine come."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tests.bench.peers.base import CUTOFF, FACET
from tests.bench.peers.job import Answers, Round
from tests.bench.shop import Condition, Shop

# Similarities in float32 agree to about 1e-7; whatever is as near as the last of the true answers counts as true.
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Judged:
    """One round of one engine.

    Attributes:
        recall: share of the true neighbours that were found, mean of all queries.
        least: the same, of the worst query.
        p50_ms: median of a query's milliseconds; `p95_ms` likewise.
        rate: queries a second, one after the other.
        asked: number of queries.
        wrong: queries whose answer had a record that does not match, or one twice.
        short: queries with fewer than k records though as many match.

    """

    recall: float
    least: float
    p50_ms: float
    p95_ms: float
    rate: float
    asked: int
    wrong: int
    short: int

    @property
    def flags(self) -> str:
        """What is amiss with the answers, in words; empty where nothing is."""
        told = [(self.short, "short"), (self.wrong, "wrong")]
        return ", ".join(f"{number} {what}" for number, what in told if number)


@dataclass(frozen=True, slots=True)
class Refined:
    """One round of what is more than the nearest records: median milliseconds, and answers that are not the true ones.

    `wrong` is None where no answer is the one true one: variety and groups depend on the candidates.
    """

    p50_ms: float
    asked: int
    wrong: int | None


class Truth:
    """Exact cosine similarities of queries and records in float32.

    Args:
        vectors: float32 of shape (n, dimensions), of any length.
        queries: float32 of shape (q, dimensions).
        shop: the records' attributes.
        k: neighbours asked for.

    """

    def __init__(self, vectors: NDArray[np.float32], queries: NDArray[np.float32], shop: Shop, k: int) -> None:
        self._near = unit(queries) @ unit(vectors).T
        self._shop = shop
        self._k = k
        self._wanted: dict[tuple[int, Condition | None], tuple[int, float]] = {}

    def judge(self, one: Round, answers: Answers) -> Judged:
        """Compare the answers of a round with the true ones."""
        conditions = one.asked(len(answers.found))
        recalls: list[float] = []
        wrong = short = 0
        for query, found in enumerate(answers.found):
            condition = conditions[query]
            number, least = self._true(query, condition)
            kept = self._matching(found, condition)
            wrong += len(kept) < len(found)
            short += len(found) < number
            recalls.append(1.0 if number == 0 else sum(self._near[query, kept] >= least) / number)
        times = answers.times
        return Judged(
            float(np.mean(recalls)),
            min(recalls),
            median(times),
            float(np.quantile(times, 0.95)),
            1000 * len(times) / sum(times),
            len(times),
            wrong,
            short,
        )

    def refined(self, one: Round, answers: Answers) -> Refined:
        """Compare what is exact by its definition, facets and what a radius leaves, with the true answers."""
        wanted: list[list[int]] | None = None
        conditions = one.asked(len(answers.found))
        if one.way == FACET:
            wanted = [self._counts(condition) for condition in conditions]
        elif one.way == CUTOFF:
            wanted = [[] for _ in conditions]
        wrong = (
            None if wanted is None else sum(found != true for found, true in zip(answers.found, wanted, strict=True))
        )
        return Refined(median(answers.times), len(answers.times), wrong)

    def _counts(self, condition: Condition | None) -> list[int]:
        kept = self._shop.category if condition is None else self._shop.category[self._shop.matches(condition)]
        return sorted(np.unique(kept, return_counts=True)[1].tolist(), reverse=True)

    def _true(self, query: int, condition: Condition | None) -> tuple[int, float]:
        """Return how many records there are to find, and how near the last of them is."""
        key = (query, condition)
        if key not in self._wanted:
            near = self._near[query]
            if condition is not None:
                near = near[self._shop.matches(condition)]
            number = min(self._k, len(near))
            last = float(np.partition(near, len(near) - number)[len(near) - number]) - _TIE if number else 0.0
            self._wanted[key] = (number, last)
        return self._wanted[key]

    def _matching(self, found: Sequence[int], condition: Condition | None) -> list[int]:
        kept = list(dict.fromkeys(found))[: self._k]
        if condition is None:
            return kept
        matches = self._shop.matches(condition)
        return [number for number in kept if matches[number]]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
