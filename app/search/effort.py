"""From measured recall to the least search effort that reaches a target.

At each effort the mean recall of some queries was measured. A search takes the effort at which that mean reaches the
target *with a margin*: the lower end of its interval, at 95 % confidence, is what must reach it. The interval is that
of a mean of independent queries (the neighbours of one query are found or missed together), and no narrower than
Wilson's of all neighbours, which holds where none was missed.

Recall cannot fall with effort, measured recall may: the points are brought into order by pooling adjacent violators
(isotonic regression: Ayer, Brunk, Ewing, Reid, Silverman, "An empirical distribution function for sampling with
incomplete information", 1955; Barlow and others, "Statistical Inference under Order Restrictions", 1972). Between two
points the logarithm of the share that is missed is linear in the logarithm of the effort: close to a straight line for
graphs, as measurements show (`docs/adr/0016-recall-is-measured.md`).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, exp, log, sqrt
from statistics import fmean, stdev

from app.domain.recall import Curve, Depth, Efforts, Point, Recall

# A share of missed neighbours less than this is not told from none.
_NONE_MISSED = 1e-5
_Z = 1.645  # of a normal distribution, 95 % on one side
# A new measurement moves the effort only if the old one misses the target, or would be this much more than is needed.
_KEPT = 1.25
LEAST = 40
"""No search goes by less: the nearest 30 are taken from 38 candidates."""


def point(effort: int, found: Sequence[tuple[int, int]]) -> Point:
    """Return the point of one effort.

    Args:
        effort: the search effort.
        found: for each query how many of the true neighbours were found, and how many there are; one at least.

    """
    shares = [hits / wanted for hits, wanted in found]
    mean = fmean(shares)
    spread = stdev(shares) / sqrt(len(shares)) if len(shares) > 1 else 1.0
    low = min(mean - _Z * spread, _wilson(sum(hits for hits, _ in found), sum(wanted for _, wanted in found)))
    return Point(effort, mean, max(0.0, low))


def curve(points: Sequence[Point]) -> Curve:
    """Return points by ascending effort as a curve that never falls."""
    recalls = _pooled([one.recall for one in points])
    lows = _pooled([one.low for one in points])
    return tuple(
        Point(one.effort, recall, min(low, recall)) for one, recall, low in zip(points, recalls, lows, strict=True)
    )


def least_effort(found: Curve, target: float) -> int:
    """Return the least effort whose recall reaches a target with the margin; the greatest one where none does."""
    if not found or found[0].low >= target:
        return found[0].effort if found else LEAST
    for before, after in pairwise(found):
        if after.low >= target:
            part = (_missed(before.low) - _missed(target)) / (_missed(before.low) - _missed(after.low))
            effort = exp(log(before.effort) + part * (log(after.effort) - log(before.effort)))
            return min(after.effort, ceil(effort - 1e-9))
    return found[-1].effort


def recall_at(found: Curve, effort: int) -> float | None:
    """Return the mean recall at an effort, as the curve has it; None where nothing was measured so low."""
    if not found or effort < found[0].effort:
        return None
    for before, after in pairwise(found):
        if effort < after.effort:
            part = log(effort / before.effort) / log(after.effort / before.effort)
            missed = _missed(before.recall) + part * (_missed(after.recall) - _missed(before.recall))
            return max(before.recall, 1 - exp(missed))
    return found[-1].recall


def efforts(curves: Mapping[Depth, Curve], target: float, before: Efforts | None = None) -> Efforts:
    """Return the least efforts that reach a target, or those of before where they still serve.

    Pages of a search are cuts of one list as long as the effort stays: a measurement that finds nearly the same does
    not move it.
    """
    nearest = _least(curves, (Depth.TEN, Depth.TWENTY), target, before.nearest if before else None)
    deep = max(nearest, _least(curves, (Depth.HUNDRED,), target, before.deep if before else None))
    matches = max(nearest, _least(curves, (Depth.HALF, Depth.TENTH), target, before.matches if before else None))
    return Efforts(nearest, deep, matches)


def efforts_for(measured: Recall, target: float) -> Efforts:
    """Return the efforts of searches with a target."""
    return measured.efforts if target == measured.target else efforts(measured.curves, target)


def _least(curves: Mapping[Depth, Curve], depths: Sequence[Depth], target: float, before: int | None) -> int:
    least = max((least_effort(curves[depth], target) for depth in depths if curves.get(depth)), default=LEAST)
    return before if before is not None and least <= before <= _KEPT * least else least


def _pooled(values: Sequence[float]) -> list[float]:
    """Return the values that never fall and lie nearest to these, by least squares."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, number = value, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean = (mean * number + other * count) / (number + count)
            number += count
        pools.append((mean, number))
    return [mean for mean, number in pools for _ in range(number)]


def _missed(recall: float) -> float:
    return log(max(_NONE_MISSED, 1 - recall))


def _wilson(hits: int, trials: int) -> float:
    """Return the lower end of Wilson's interval of a share."""
    share = hits / trials
    spread = _Z * sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    return (share + _Z**2 / (2 * trials) - spread) / (1 + _Z**2 / trials)
