"""How a ranked search is to be done."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.windows import Window


class Aggregation(StrEnum):
    """How the distances to several query records become one."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which part of a ranking is wanted, and under which conditions.

    Attributes:
        window: ranks, counted in products where `product_field` is set.
        radius: largest distance of an answer record, inclusive, on the API's scale; None: no limit.
        product_field: attribute of which at most one record a value is answered; None: every record.
        effort: HNSW search effort (1..1000); None: the server's default.

    """

    window: Window
    radius: float | None = None
    product_field: str | None = None
    effort: int | None = None
