"""Collections, and the facts that are kept of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.jsontext import check_text
from app.domain.recall import Recall, check_target
from app.domain.services import service_of

_COLLECTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Layout(StrEnum):
    """Where the records of a collection lie: Citus keeps them on its workers, whole or spread by a hash of the ids."""

    LOCAL = "local"
    WHOLE = "whole"
    HASH = "hash"


@dataclass(frozen=True, slots=True)
class SearchCosts:
    """Costs of the steps of a search, in microseconds.

    Attributes:
        distance_us: comparing a record with the query.
        match_us: reading a record that matches a filter.
        candidate_us: walking the index to one more candidate.

    """

    distance_us: float
    match_us: float
    candidate_us: float

    @classmethod
    def usual(cls, dimensions: int) -> "SearchCosts":
        """Return what was measured on a machine of 2 cores; right in its proportions elsewhere, too."""
        return cls(0.1 + 0.0006 * dimensions, 0.7, 4.0 + 0.008 * dimensions)


@dataclass(frozen=True, slots=True)
class PartialIndex:
    """An HNSW index of the records that have one value in one attribute.

    Attributes:
        condition: the jsonpath that selects them, as `app.filters.equality` writes it.
        rows: their number as the planner believes it.
        recall: that of searches through it; None: it was not measured since the index was built.

    """

    condition: str
    rows: int
    recall: Recall | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection: a partition of its own, one service, one model.

    `distance_scale` turns a cosine distance (0..2) into the API's distance; `capacity` is the number of records it
    may hold, None for no limit; `keep_images` says whether each picture is kept as it came; `product_field` is the one
    of searches that name none; `indexed` says whether its HNSW index is ready; `indexed_fields` are the attributes with
    a declared B-tree; `partial_indexes` are those of single values that are ready. `rows` is the number of records as
    the planner believes it, 0 where nobody counted yet; `costs` is what a search's steps cost, None where it was never
    measured for these dimensions. `expires` says whether a record of it ever had an `_expires_at`. `recall_target` is
    the share of the true neighbours that searches aim at, None: as the server is set up; `recall` is that of its HNSW
    index, None where it was not measured since the index was built. `crowded` says whether that index leaves out copies
    of vectors that too many records have: they stand beside it, in crowds. `layout` says where its records lie, and
    `shards` in how many tables.

    `generation` counts how often all of its vectors were made. It is part of the records' table's name: whoever still
    has the facts of an earlier generation, and so vectors of an earlier model, finds no table to use them on.
    """

    id: int
    name: str
    service: str
    model: str
    model_revision: str
    dimensions: int
    distance_scale: float
    capacity: int | None
    thumbnails: bool
    indexed: bool
    indexed_fields: frozenset[str]
    keep_images: bool
    product_field: str | None
    generation: int
    rows: int = 0
    costs: SearchCosts | None = None
    partial_indexes: tuple[PartialIndex, ...] = field(default=(), compare=False)
    expires: bool = False
    recall_target: float | None = None
    recall: Recall | None = field(default=None, compare=False)
    crowded: bool = False
    layout: Layout = Layout.LOCAL
    shards: int = 1

    @property
    def distributed(self) -> bool:
        """Whether its records lie on workers of Citus: what triggers do is not done there."""
        return self.layout is not Layout.LOCAL

    @property
    def spread(self) -> bool:
        """Whether its records lie in several tables, so that some statements must be others (`docs/scale-out.md`)."""
        return self.layout is Layout.HASH

    def refuse_distributed(self, what: str) -> None:
        """Refuse what works by triggers, or by the places of rows, where the records lie on workers.

        Raises:
            InvalidRequest: they do.

        """
        if self.distributed:
            raise InvalidRequest(f"{what} is not possible: the records of {self.name} lie on the workers of Citus")

    @property
    def records_table(self) -> str:
        """Name of the table of its records, as the SQL function `records_table` has it."""
        return f"records_{self.id}" if self.generation == 1 else f"records_{self.id}_v{self.generation}"


def check_name(name: str) -> None:
    """Refuse what is no collection's name.

    Raises:
        InvalidRequest: it has another form.

    """
    if not _COLLECTION_NAME.fullmatch(name):
        raise InvalidRequest(
            "a collection's name has 1 to 128 letters, digits, '.', '_' or '-', and begins with a letter or digit"
        )


@dataclass(frozen=True, slots=True)
class NewCollection:
    """The facts that a collection is created with."""

    name: str
    service: str
    model: str
    model_revision: str
    dimensions: int
    distance_scale: float
    capacity: int | None = None
    thumbnails: bool = True
    keep_images: bool = False
    product_field: str | None = None
    recall_target: float | None = None

    def __post_init__(self) -> None:
        """Refuse what the table would refuse, in words."""
        check_name(self.name)
        service_of(self.service)
        facts = {
            "capacity": self.capacity,
            "product_field": self.product_field,
            "recall_target": self.recall_target,
        }
        check_settings(facts)


def check_settings(given: Mapping[str, Any]) -> None:
    """Refuse settings of a collection that the table would refuse, or nobody could use; None is always allowed.

    Raises:
        InvalidRequest: one of them is not allowed.

    """
    capacity, field, target = (given.get(name) for name in ("capacity", "product_field", "recall_target"))
    if capacity is not None and not 1 <= capacity < 2**63:
        raise InvalidRequest("a capacity is at least 1")
    if field is not None:
        check_product_field(field)
    if target is not None:
        check_target(target)


def check_product_field(name: str) -> None:
    """Refuse what no record can have as an attribute.

    Raises:
        InvalidRequest: it is not the name of a top-level attribute.

    """
    check_text(name, "a product field")
    if not name or name.startswith(("$", "_id")) or "." in name or len(name) > 200:
        raise InvalidRequest(
            "a product field is the name of an attribute, 1 to 200 characters, not beginning with $, and without a dot"
        )
