"""A backup: a dump of the schema, and what it must hold, as of the moment when it was taken."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.wording import counted

_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
# Distances are computed in float32, and a processor adds up in an order of its own.
_ROUNDING = 1e-3
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A record that is near to another."""

    id: str
    distance: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A record, and its nearest ones by comparing all: at most 20, the nearest first, itself not among them."""

    id: str
    neighbours: list[Neighbour]


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What a collection holds.

    Attributes:
        name: of the collection.
        model: that made its vectors.
        records: how many there are, those that expired among them.
        digest: 16 hexadecimal digits of the ids, attributes and vectors of all, in whatever order they are read.
        samples: records with their neighbours.

    """

    name: str
    model: str
    records: int
    digest: str
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a database holds as of one moment: its collections, and the rows of each table."""

    collections: list[CollectionFacts]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, as its description beside the dump says.

    Attributes:
        name: the moment when it was begun, in UTC: `20261128T110500Z`.
        begun_at: that moment.
        seconds: how long it took.
        program: the version of Lookalike that took it.
        revision: of the schema.
        postgresql: the server's version.
        pgvector: the extension's version.
        bytes: of the dump.
        sha256: of the dump, in hexadecimal digits.
        roles: which of the roles `lookalike_app` and `lookalike_reader` there were.
        members: logins that were members of them.
        facts: what it holds.
        verified_at: when it was last restored into a scratch database and compared; None: it never was.
        differences: what was found to differ then, a sentence each.

    """

    name: str
    begun_at: datetime
    seconds: float
    program: str
    revision: str
    postgresql: str
    pgvector: str
    bytes: int
    sha256: str
    roles: list[str]
    members: list[str]
    facts: Facts
    verified_at: datetime | None = None
    differences: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """The number of records of all collections."""
        return sum(one.records for one in self.facts.collections)


def name_of(begun_at: datetime) -> str:
    """Return the name of a backup that is begun at a moment in UTC."""
    return f"{begun_at:%Y%m%dT%H%M%SZ}"


def is_name(text: str) -> bool:
    """Say whether a text is the name of a backup."""
    return _NAME.fullmatch(text) is not None


def differences(wanted: Facts, found: Facts) -> list[str]:
    """Return what a restored database has otherwise than it was written down, a sentence each; no more than a few."""
    sentences = []
    there = {one.name: one for one in found.collections}
    for one in wanted.collections:
        other = there.get(one.name)
        if other is None:
            sentences.append(f"the collection {one.name!r} is missing")
        elif (other.records, other.digest) != (one.records, one.digest):
            sentences.append(
                f"the collection {one.name!r} has {counted(other.records, 'record')} with digest {other.digest}, not"
                f" {one.records} with {one.digest}"
            )
        else:
            sentences += _moved(one, other)
    for table, rows in wanted.rows.items():
        if found.rows.get(table, 0) != rows:
            sentences.append(f"the table {table} has {found.rows.get(table, 0)} rows, not {rows}")
    more = len(sentences) - _SHOWN
    return sentences if more <= 0 else [*sentences[:_SHOWN], f"and {more} more"]


def _moved(wanted: CollectionFacts, found: CollectionFacts) -> list[str]:
    there = {one.id: one.neighbours for one in found.samples}
    return [
        f"the neighbours of {one.id!r} in the collection {wanted.name!r} are others"
        for one in wanted.samples
        if not _same(one.neighbours, there.get(one.id, []))
    ]


def _same(wanted: Sequence[Neighbour], found: Sequence[Neighbour]) -> bool:
    """Say whether two lists are the same, but for records at the distance of the last one and the order of equals."""
    if len(wanted) != len(found):
        return False
    if any(abs(one.distance - other.distance) > _ROUNDING for one, other in zip(wanted, found, strict=True)):
        return False
    edge = wanted[-1].distance - _ROUNDING if wanted else 0.0
    return {one.id for one in wanted if one.distance < edge} <= {one.id for one in found}
