"""Query records as examples: some attract, others repel, each by its weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import InvalidRequest
from app.domain.ranking import Aggregation, Strategy
from app.domain.records import WEIGHT, QueryRecord
from app.search.request import Point, Several, Vector, What, combined

_LARGEST_WEIGHT = 1e6
# The negative records together count half of what the query records do: else what both have in common is lost.
_NEGATIVE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Examples:
    """The weight of each query record, and of each negative record."""

    strategy: Strategy
    weights: Sequence[float]
    negative_weights: Sequence[float]

    def looked_for(self, vectors: Sequence[Vector]) -> What:
        """Return what is looked for; `vectors` are those of the query records, then those of the negative records.

        With the strategy `average` it is one direction: the weighted mean of the query records' unit vectors, less half
        of that of the negative records'. With `best_score` a record goes by the nearest example that attracts, unless
        one that repels is nearer.

        Raises:
            InvalidRequest: the weighted examples cancel each other out.

        """
        if self.strategy is Strategy.BEST_SCORE:
            signs = [*self.weights, *(-weight for weight in self.negative_weights)]
            near = [Point(vector) for vector, sign in zip(vectors, signs, strict=True) if sign > 0]
            far = [vector for vector, sign in zip(vectors, signs, strict=True) if sign < 0]
            return Several(near, Aggregation.MIN, against=far)
        total, negative = sum(map(abs, self.weights)), sum(self.negative_weights)
        direction = combined(
            vectors,
            [
                *(weight / total for weight in self.weights),
                *(-_NEGATIVE_SHARE * weight / negative for weight in self.negative_weights),
            ],
        )
        if direction is None:
            raise InvalidRequest(
                f"query_records: the examples cancel each other out; change a {WEIGHT}, or leave one out"
            )
        return direction


def examples_of(
    records: Sequence[QueryRecord], negatives: Sequence[QueryRecord], strategy: Strategy | None
) -> Examples | None:
    """Return how query records are taken as examples; None where nothing asks for that.

    Raises:
        InvalidRequest: a weight is no number, none of the query records attracts, or the strategy takes no such weight.

    """
    weights = [_weight(record, f"query_records[{place}]") for place, record in enumerate(records)]
    against = [_weight(record, f"negative_records[{place}]") for place, record in enumerate(negatives)]
    if strategy is None and not negatives and all(weight is None for weight in weights):
        return None
    found = Examples(strategy or Strategy.AVERAGE, list(map(_or_one, weights)), list(map(_or_one, against)))
    if not any(weight > 0 for weight in found.weights):
        raise InvalidRequest(f"query_records: at least one {WEIGHT} must be greater than 0; the others only repel")
    for place, weight in enumerate(found.negative_weights):
        if weight <= 0:
            raise InvalidRequest(f"negative_records[{place}].{WEIGHT}: must be greater than 0; the list itself repels")
    if found.strategy is Strategy.BEST_SCORE:
        for name, numbers in (("query_records", found.weights), ("negative_records", found.negative_weights)):
            for place, weight in enumerate(numbers):
                if abs(weight) != 1:
                    raise InvalidRequest(f"{name}[{place}].{WEIGHT}: must be 1 or -1 with the strategy best_score")
    return found


def check_unweighted(records: Sequence[QueryRecord]) -> None:
    """Refuse weights where a method has no use for them.

    Raises:
        InvalidRequest: a record has one.

    """
    for place, record in enumerate(records):
        if record.get(WEIGHT) is not None:
            name = f"query_records[{place}]" if len(records) > 1 else "the query record"
            raise InvalidRequest(f"{name}: has a {WEIGHT}, and only visualKNNMulti weighs its query records")


def _or_one(weight: float | None) -> float:
    return 1.0 if weight is None else weight


def _weight(record: QueryRecord, place: str) -> float | None:
    given = record.get(WEIGHT)
    if given is None:
        return None
    weight = float(given) if isinstance(given, int | float | Decimal) and not isinstance(given, bool) else None
    if weight is None or not abs(weight) <= _LARGEST_WEIGHT:
        raise InvalidRequest(f"{place}.{WEIGHT}: must be a number from -1,000,000 to 1,000,000")
    return weight
