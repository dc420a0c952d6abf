"""Judgements of people on stored pairs: whether they show the same picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.tuning import Stratum, count_of, width_of


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether two records show the same picture."""

    one: str
    other: str
    same: bool


def strata(db: Database, collection: Collection, radius: float) -> list[Stratum]:
    """Return the strata of the stored pairs within a radius, nearest first, with what was judged of each."""
    width, count = width_of(radius), count_of(radius)
    values = {"collection_id": collection.id, "radius": radius, "width": width}
    text = query("judgements", "strata").render(records=partition("records", collection))
    found = {row["stratum"]: row for row in db.all(text, values)}
    return [
        Stratum(
            (number - 1) * width,
            min(number * width, radius),
            *((row["pairs"], row["judged"], row["same"]) if (row := found.get(number)) is not None else (0, 0, 0)),
        )
        for number in range(1, count + 1)
    ]


def draw(db: Database, collection: Collection, radius: float, wanted: Sequence[int]) -> list[tuple[str, str]]:
    """Return pairs that nobody has judged, so many of each stratum, in random order."""
    values = {
        "collection_id": collection.id,
        "radius": radius,
        "width": width_of(radius),
        "strata": list(range(1, len(wanted) + 1)),
        "wanted": list(wanted),
    }
    text = query("judgements", "draw").render(records=partition("records", collection))
    return [(row["one"], row["other"]) for row in db.all(text, values)]


def judge(db: Database, collection: Collection, judgements: Sequence[Judgement], judged_by: str) -> int:
    """Store judgements, each in place of an earlier one of the same pair; return how many there were.

    Raises:
        InvalidRequest: one is of no stored pair; the message says which, and nothing is stored.

    """
    values = {
        "collection_id": collection.id,
        "ones": [one.one for one in judgements],
        "others": [one.other for one in judgements],
        "same": [one.same for one in judgements],
        "judged_by": judged_by,
    }

    def work(connection: Connection) -> int:
        stored = {
            (row["one"], row["other"])
            for row in connection.execute(query("judgements", "judge").render(), values).fetchall()
        }
        for place, given in enumerate(judgements):
            if (min(given.one, given.other), max(given.one, given.other)) not in stored:
                raise InvalidRequest(
                    f"judgements[{place}]: the records {given.one!r} and {given.other!r} are no stored pair"
                )
        return len(stored)

    return db.write(work)


def thumbnails(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the thumbnails (WebP) of those of some records that have one, by id."""
    text = query("records", "thumbnails").render(thumbnails=partition("thumbnails", collection))
    return {row["id"]: bytes(row["webp"]) for row in db.all(text, {"collection_id": collection.id, "ids": list(ids)})}
