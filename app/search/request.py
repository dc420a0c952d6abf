"""A search is asked by one request, whatever it looks for and whatever shape its answer has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.domain.collections import Collection
from app.domain.ranking import Aggregation
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import NO_FILTER, Where

Vector = NDArray[np.float32] | HalfVector

# A sum of unit vectors that is shorter than this has no direction: what is left of them is rounding.
_SHORTEST = 1e-3


@dataclass(frozen=True, slots=True)
class Point:
    """A vector that is looked for, its tags, and the weight of the tags, 0 (looks alone) to 1."""

    vector: Vector
    tags: Sequence[str] = ()
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Several:
    """Points whose distances become one; with a `tags_field`, tags are compared as well, also those of one point.

    A record that is nearer to one of `against` than to every point comes after all that are not: at four times the
    collection's scale less its distance to that. Cosine distances end at twice the scale.
    """

    points: Sequence[Point]
    aggregation: Aggregation = Aggregation.MEAN
    tags_field: str | None = None
    against: Sequence[Vector] = ()


What = str | Vector | Several


@dataclass(frozen=True, slots=True)
class Query:
    """One search.

    Attributes:
        collection: where is searched.
        window: ranks that are answered, counted in products where `product_field` is set.
        fields: what of the records is answered.
        where: which records may be answered, as a condition on their alias `r`.
        what: what is looked for: the vector of a stored record by its id, a vector, or several; None: nothing.
        effort: HNSW search effort, 1 to 1000; None: what the recall target needs.
        exact: compare every record that matches, whatever it costs.
        recall_target: share of the true neighbours that it aims at, above 0 and at most 1; None: the collection's.
        radius: largest distance of an answer record, inclusive, on the API's scale; None: no limit.
        product_field: attribute of which at most one record a value is answered; None: every record.
        asked: ids of stored records that match and whose vectors are looked for.
        by_ids: whether the records that may be answered are named by their ids, so that an index finds them.

    """

    collection: Collection
    window: Window
    fields: Fields
    where: Where = NO_FILTER
    what: What | None = None
    effort: int | None = None
    exact: bool = False
    recall_target: float | None = None
    radius: float | None = None
    product_field: str | None = None
    asked: tuple[str, ...] = ()
    by_ids: bool = False

    @property
    def filtered(self) -> bool:
        """True if there is a filter that may leave records out."""
        return self.where.sql != NO_FILTER.sql

    @property
    def several(self) -> Several | None:
        """The points that are looked for, where they are several, or have tags."""
        return self.what if isinstance(self.what, Several) else None

    @property
    def tagged(self) -> bool:
        """True if tags are compared as well."""
        return self.several is not None and self.several.tags_field is not None

    def near(self, what: What) -> "Query":
        """Return the query that looks for this."""
        return replace(self, what=what)

    def among(self, ids: Sequence[str]) -> "Query":
        """Return the query for those of its records that have these ids."""
        # The collection's id is the first column of the primary key, which serves no condition without it.
        values: dict[str, object] = {"searched": self.collection.id, "candidates": list(ids)}
        where = Where("r.collection_id = %(searched)s AND r.id = ANY (%(candidates)s::text[])", values)
        return replace(self.but(where), by_ids=True)

    def only_ids(self) -> "Query":
        """Return the query without the attributes of its records, for long lists of which a page is shown."""
        return replace(self, fields=Fields())

    def but(self, where: Where) -> "Query":
        """Return the query for those of its records that satisfy another condition, too."""
        return replace(self, where=self.where & where)


def several(vectors: Sequence[Vector], aggregation: Aggregation) -> What:
    """Return what is looked for where these vectors are: one of them is a vector."""
    return vectors[0] if len(vectors) == 1 else Several([Point(vector) for vector in vectors], aggregation)


def combined(vectors: Sequence[Vector], weights: Sequence[float]) -> NDArray[np.float32] | None:
    """Return the direction of the weighted sum of some vectors, each brought to length 1.

    Args:
        vectors: of the same dimensions, none of them zero.
        weights: as many; a negative one points away.

    Returns:
        A vector of length 1, float32; None where the sum is too short to have a direction.

    """
    wide = np.stack([np.asarray(half(vector).to_numpy(), np.float64) for vector in vectors])
    summed = np.asarray(weights, np.float64) @ (wide / np.linalg.norm(wide, axis=1, keepdims=True))
    length = float(np.linalg.norm(summed))
    return (summed / length).astype(np.float32) if length > _SHORTEST * float(np.abs(weights).sum()) else None


def half(vector: Vector) -> HalfVector:
    """Return a vector as it is stored: 16-bit floats."""
    return vector if isinstance(vector, HalfVector) else HalfVector(vector)


def direction(what: Vector | Several) -> HalfVector | None:
    """Return the one vector that an index may be asked for; None where there is none.

    That of several is their mean direction: the mean of cosine distances is linear in the query, so it ranks as the
    mean does. It does not rank as the least or the greatest of them does, and vectors may cancel out.
    """
    if not isinstance(what, Several):
        return half(what)
    if what.aggregation is not Aggregation.MEAN:
        return None
    wide = np.stack([np.asarray(half(point.vector).to_numpy(), np.float64) for point in what.points])
    mean = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return HalfVector((mean / length).astype(np.float32)) if length > _SHORTEST else None
