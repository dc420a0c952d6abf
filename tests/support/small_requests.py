"""One small request for each method of the API, on a collection of four records made by `record`."""

from tests.api.conftest import Json, picture

_SOME = [{"_id": "0"}, {"_id": "1"}]


_NEAR = {"query_record": {"_id": "0"}}


# The field of a record's tags, by service; all of them are stored, so that one filling serves every service.
TAGS = {"tags": ["red", "round"], "_tags": ["red", "round"], "_tags_simple": ["red", "round"]}


def record(number: int) -> Json:
    return {"_id": str(number), "_base64": picture(number), "n": number, **TAGS}


# A small request to each method, its code, and how many records are in its answer.
SMALL: dict[str, tuple[Json, int, int | None]] = {
    "get": ({"records": _SOME}, 205, 2),
    "update": ({"records": [{"_id": "0", "seen": True}]}, 205, 1),
    "find": ({"filter": {"n": {"$lt": 2}}}, 200, 2),
    "facets": ({"facets": ["n"]}, 200, None),
    "random": ({"count": 3}, 200, 3),
    "allRecords": ({}, 200, 4),
    "getRecordCount": ({}, 200, 4),
    "visualKNN": ({**_NEAR, "k": 3}, 200, 3),
    "visualTagsKNN": ({**_NEAR, "k": 3}, 200, 3),
    "visualKNNMulti": ({"query_records": _SOME, "k": 3}, 200, 3),
    "visualTagsKNNMulti": ({"query_records": _SOME, "k": 3}, 200, 3),
    "visualRankRecords": ({**_NEAR, "records": _SOME}, 200, 2),
    "visualTagsRankRecords": ({**_NEAR, "records": _SOME}, 200, 2),
    "range": ({**_NEAR, "radius": 1000}, 200, 4),
    "nearDuplicates": ({**_NEAR, "radius": 1000}, 200, 4),
    "allNearDupPairs": ({"radius": 1000}, 200, 6),
    # What these change is put back by `undo`.
    "insert": ({"records": [{"_id": "new", "_base64": picture(5)}]}, 210, 1),
    "upsert": ({"records": [{"_id": "new", "_base64": picture(5)}, record(3)]}, 210, 2),
    "nearDupsInsert": ({"records": [{"_id": "new", "_base64": picture(5)}], "radius": 0}, 210, 1),
    "delete": ({"records": [{"_id": "3"}]}, 220, 1),
    "deleteByFilter": ({"filter": {"n": 3}}, 200, 1),
}
