"""What Citus cannot spread over its workers stands in no query that a distributed collection runs."""

import re

import pytest

from app.db.loader import area
from app.db.sqltree import AREAS

# Refused for a distributed collection, each with a sentence, or not asked there.
LOCAL_ONLY = {
    "copying": "copies are refused",
    "crowds": "copies of a vector are not set apart",
    "reembedding": "another model is refused",
    "maps": "maps are refused",
    "duplicates": "pairs are not stored",
    "judgements": "pairs are not stored",
    "backups": "read through the parents, where a distributed collection is not found",
}
# In their places a spread collection has others: of sql/queries/spread.sql, or of what the search does instead.
REPLACED = {
    "search.walk": "spread.search_walk and spread.nearest",
    "search.in_near_crowds": "there are no crowds",
    "search.near_crowds": "there are no crowds",
    "search.near_crowds_of_several": "there are no crowds",
    "search.case_compared": "matches are counted, and compared by `page`",
    "search.matches_compared": "matches are counted, and compared by `page`",
    "search.ids_compared": "matches are counted, and compared by `page`",
    "records.delete": "spread.records_delete",
    "records.lock": "spread.lock",
    "replacing.lock": "spread.lock",
    "replacing.delete_missing": "spread.replacing_delete_missing",
    "listing.delete": "spread.listing_delete",
    "listing.random_probe": "random_exact",
    "expiry.unexpired": "the places are for queries that are replaced themselves",
    "expiry.delete": "spread.expired and spread.expiry_make_room",
    "expiry.make_room": "spread.expiry_make_room",
    "tags.combined": "searches by tags compare all matches",
    "tags.edge": "searches by tags compare all matches",
    "warming.walk": "the table alone is read",
}
RECORDS = r"/\*(?:records|thumbnails|originals)\*/"
FORBIDDEN = {
    "a SELECT of no column": re.compile(rf"\bSELECT\s+FROM\s+{RECORDS}"),
    "settings by a lateral join": re.compile(r"set_config\("),
    "a lock of rows in several tables": re.compile(
        rf"{RECORDS}(?:(?!%\(id\)s).)*?\bFOR (?:NO KEY )?UPDATE\b", re.DOTALL
    ),
    "places of rows": re.compile(rf"\bctid\b.*?{RECORDS}|{RECORDS}.*?\bctid\b", re.DOTALL),
    "a vector of another table in ORDER BY": re.compile(rf"<=>\s*\(\s*SELECT\b.*?{RECORDS}", re.DOTALL),
}


def _names() -> list[str]:
    return [f"{one}.{name}" for one in AREAS for name in area(one)]


def _found(name: str) -> set[str]:
    of, own = name.split(".")
    text = area(of)[own].text
    return {what for what, pattern in FORBIDDEN.items() if pattern.search(text)}


@pytest.mark.parametrize("name", [name for name in _names() if name.split(".")[0] not in LOCAL_ONLY])
def test_a_query_of_distributed_collections_has_nothing_that_citus_cannot_spread(name: str) -> None:
    assert name in REPLACED or not _found(name)


def test_what_is_excused_is_there_and_needs_it() -> None:
    assert set(LOCAL_ONLY) <= set(AREAS)
    assert set(REPLACED) <= set(_names())
    unlike = {"search.ids_compared"} | {name for name in REPLACED if name.endswith(("crowds", "crowds_of_several"))}
    assert {name for name in REPLACED if not _found(name)} == unlike
    for stands_in in area("spread"):
        assert stands_in in {"nearest", "lock", "expired"} or stands_in.replace("_", ".", 1) in REPLACED, stands_in
