"""Which radius: precision and recall of pairs within it, estimated from judgements of a stratified sample.

The pairs of a scan are divided by their distance into strata, and of each some are judged by people. Of a stratum of N
pairs, of which n were drawn and judged and y are the same picture, y + (N - n) * y / n are true pairs. Within a radius,

    precision = true pairs within it / all pairs within it
    recall    = true pairs within it / true pairs within the radius of the scan.

True pairs that lie beyond the scan's radius are not seen, so recall is that within it.

Intervals are of 95 %: the share of true pairs of each stratum is drawn from its Jeffreys posterior, Beta(y + 1/2,
n - y + 1/2), and those not judged from the binomial distribution with that share; the weights are the numbers of pairs
of the strata. That is the interval that Brown, Cai and DasGupta recommend for few cases, beside Wilson's ("Interval
Estimation for a Binomial Proportion", Statistical Science 16(2), 2001), and it holds for sums and ratios of strata.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDTH, _MOST = 0.5, 20
_DRAWS = 4000
_SEED = 1
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Pairs whose distances lie above `low` up to `high`; 0 is in the first stratum."""

    low: float
    high: float
    pairs: int
    judged: int
    same: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share, 0 to 1, and the interval that it lies in with 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A radius with the number of pairs within it; `recall` is None where no pair is true."""

    radius: float
    pairs: int
    precision: Estimate
    recall: Estimate | None


def width_of(radius: float) -> float:
    """Return the width of a stratum, the same up to a radius of 10, so that what was judged stays a random sample."""
    return max(_WIDTH, radius / _MOST)


def count_of(radius: float) -> int:
    """Return the number of strata within a radius."""
    return max(1, math.ceil(radius / width_of(radius)))


def allocated(strata: Sequence[Stratum], wanted: int) -> list[int]:
    """Return how many pairs of each stratum are to be drawn: those of which least are judged get more."""
    drawn = [0] * len(strata)
    for _ in range(wanted):
        left = [place for place, one in enumerate(strata) if one.judged + drawn[place] < one.pairs]
        if not left:
            break
        drawn[min(left, key=lambda place: strata[place].judged + drawn[place])] += 1
    return drawn


def candidates(strata: Sequence[Stratum]) -> list[Candidate]:
    """Return precision and recall for the upper end of each stratum as the radius, strata without pairs left out."""
    pairs = np.array([one.pairs for one in strata])
    judged = np.array([one.judged for one in strata])
    same = np.array([one.same for one in strata])
    share = np.where(judged > 0, same / np.maximum(judged, 1), 0.5)
    random = np.random.default_rng(_SEED)
    shares = random.beta(same + 0.5, judged - same + 0.5, (_DRAWS, len(strata)))
    true = np.cumsum(same + (pairs - judged) * share)
    drawn = np.cumsum(same + random.binomial(pairs - judged, shares), axis=1)
    within = np.cumsum(pairs)
    return [
        Candidate(
            one.high,
            int(within[place]),
            _estimate(true[place] / within[place], drawn[:, place] / within[place]),
            _recall(true, drawn, place),
        )
        for place, one in enumerate(strata)
        if within[place]
    ]


def suggested(found: Sequence[Candidate], precision: float) -> Candidate | None:
    """Return the widest radius whose precision is at least so much with 97.5 %; None where none is known to be."""
    good = [one for one in found if one.precision.low >= precision]
    return good[-1] if good else None


def _recall(true: NDArray[np.float64], drawn: NDArray[np.int64], place: int) -> Estimate | None:
    some = drawn[:, -1] > 0
    if not some.any() or not true[-1]:
        return None
    return _estimate(true[place] / true[-1], drawn[some, place] / drawn[some, -1])


def _estimate(value: float, draws: NDArray[np.float64]) -> Estimate:
    low, high = np.quantile(draws, _INTERVAL)
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
