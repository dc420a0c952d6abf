"""A shop's attributes for the vectors of crops, and the filters that its visitors set: for ours and the peers alike.

Prices are uniform and declared (`lookalike collection index NAME price`), categories are the photos' classes and so lie
together in the space of vectors, brands are few large and many small ones (Zipf). Filters are in the API's language;
`Condition` says the same in parts, for engines that have another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.records import Json
from tests.bench.setup import category
from tests.bench.vectors import Crops

PRICES = 1000.0
_BRANDS = 500
_IN_STOCK = 0.9
_SEED = 17
_SHARES = (0.0005, 0.001, 0.01, 0.05, 0.1, 0.5, 0.9, 1.0)
_NEAREST = 20
_CHEAP = 100.0
# A category of fewer records than this is none that lies far away: it hardly lies anywhere.
_CATEGORY_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Condition:
    """What a filter keeps: prices below `below`, or one category, or both; None: not asked for."""

    below: float | None = None
    category: str | None = None

    @property
    def filter(self) -> dict[str, Json]:
        """The same in the API's language."""
        asked: dict[str, Json] = {}
        if self.category is not None:
            asked["category"] = self.category
        if self.below is not None:
            asked["price"] = {"$lt": self.below}
        return asked


@dataclass(frozen=True, slots=True)
class Visit:
    """One kind of filter: its name, and for each query the condition."""

    name: str
    conditions: Sequence[Condition]


@dataclass(frozen=True, slots=True)
class Shop:
    """Attributes by column, n rows: `price` float64 in [0, 1000), `category`, `brand`, `photo` as text, `in_stock`."""

    price: NDArray[np.float64]
    category: NDArray[np.str_]
    brand: NDArray[np.str_]
    photo: NDArray[np.str_]
    in_stock: NDArray[np.bool_]

    def attributes(self, number: int) -> dict[str, object]:
        """Return the attributes of one record."""
        return {
            "price": float(self.price[number]),
            "category": str(self.category[number]),
            "brand": str(self.brand[number]),
            "photo": str(self.photo[number]),
            "in_stock": bool(self.in_stock[number]),
        }

    def matches(self, condition: Condition) -> NDArray[np.bool_]:
        """Return which records a condition keeps, bool of shape (n,)."""
        kept = np.ones(len(self.price), bool)
        if condition.below is not None:
            kept &= self.price < condition.below
        if condition.category is not None:
            kept &= self.category == condition.category
        return kept


def shop(crops: Crops) -> Shop:
    """Return the attributes of all stored vectors, the same ones in every run."""
    random = np.random.default_rng(_SEED)
    number = len(crops.sources)
    weights = 1 / np.arange(1, _BRANDS + 1)
    return Shop(
        price=random.random(number) * PRICES,
        category=np.array([category(source) for source in crops.sources]),
        brand=np.array([f"b{one:03d}" for one in random.choice(_BRANDS, number, p=weights / weights.sum())]),
        photo=np.array([source.id for source in crops.sources]),
        in_stock=random.random(number) < _IN_STOCK,
    )


def visits(made: Shop, crops: Crops, queries: NDArray[np.float32]) -> list[Visit]:
    """Return the kinds of filters: prices at every selectivity, the query's own category, the one farthest from it.

    Args:
        made: the records' attributes.
        crops: their vectors.
        queries: float32 of unit length, shape (q, dimensions).

    """
    found = [Visit(f"price, {share * 100:g} %", [Condition(share * PRICES)] * len(queries)) for share in _SHARES]
    own, far = _categories(made, crops, queries)
    for name, of_queries in (("own category", own), ("farthest category", far)):
        found.append(Visit(name, [Condition(category=one) for one in of_queries]))
        found.append(Visit(f"{name}, price 10 %", [Condition(_CHEAP, one) for one in of_queries]))
    return found


def _categories(made: Shop, crops: Crops, queries: NDArray[np.float32]) -> tuple[list[str], list[str]]:
    """Return for each query the category of most of its nearest records, and the one whose centre is farthest."""
    stored = crops.stored.astype(np.float32)
    names, codes, sizes = np.unique(made.category, return_inverse=True, return_counts=True)
    large = [code for code, size in enumerate(sizes) if size >= _CATEGORY_SHARE * len(codes)]
    centres = np.stack([stored[codes == code].mean(axis=0) for code in large])
    far = [str(names[large[at]]) for at in np.argmin(queries @ centres.T, axis=1)]
    own = []
    for query in queries:
        nearest = np.argpartition(-(stored @ query), _NEAREST)[:_NEAREST]
        own.append(str(names[np.bincount(codes[nearest]).argmax()]))
    return own, far
