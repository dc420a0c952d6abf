"""nearDupsInsert: what a model cannot tell apart is not refused; what comes at once from two callers is answered."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from PIL import Image

from tests.api.conftest import Api, drawing, encoded
from tests.pictures import photo
from tests.support.flat_pictures import DIFFERENT, around, gradient
from tests.support.waiting import wait_for_waiting

COLOURS = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "blue": (50, 68, 215),
    "yellow": (253, 205, 6),
    "green": (41, 210, 15),
    "violet": (209, 8, 216),
}


def swatch(colour: tuple[int, int, int], kind: str = "PNG", size: int = 200) -> str:
    return encoded(Image.new("RGB", (size, size), colour), kind)


def insert(api: Api, **pictures: str) -> dict[str, int]:
    """Insert pictures one by one; the code of each answer, by id."""
    records = [[{"_id": name, "_base64": data}] for name, data in pictures.items()]
    return {one[0]["_id"]: api.post("nearDupsInsert", {"records": one})["status"]["code"] for one in records}


def test_plain_colours_are_different_pictures_and_their_copies_are_not(api: Api) -> None:
    assert set(insert(api, **{name: swatch(colour) for name, colour in COLOURS.items()}).values()) == {210}
    copies = {f"{name}-copy": swatch(colour, "JPEG", 333) for name, colour in COLOURS.items()}
    assert set(insert(api, **copies).values()) == {411}
    assert api.post("getRecordCount")["answer_count"] == len(COLOURS)


def test_plain_colours_of_one_request_are_compared_likewise(api: Api) -> None:
    records: list[dict[str, str | int]] = [{"_id": name, "_base64": swatch(colour)} for name, colour in COLOURS.items()]
    records.append({"_id": "again", "_base64": swatch(COLOURS["blue"], "JPEG"), "price": 5})
    got = api.post("nearDupsInsert", {"records": records, "fields_to_return": ["price"]}, code=211)
    assert {record["_id"] for record in got["answer_records"]} == set(COLOURS)
    (skipped,) = got["skipped_records"]
    assert [twin["_id"] for twin in skipped["_reason"]["answer_records"]] == ["blue"]


def test_more_alike_colours_than_are_named_hide_no_copy(api: Api) -> None:
    """The ten nearest by the model are other colours: those behind them are looked at, too."""
    greys = {f"g{level:03}": swatch((level, level, level)) for level in range(20, 250, 15)}
    assert set(insert(api, **greys).values()) == {210}
    assert insert(api, copy=swatch((95, 95, 95), "JPEG")) == {"copy": 411}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_flat_pictures_in_other_colours_are_both_stored(api: Api, pair: tuple[Image.Image, Image.Image]) -> None:
    assert set(insert(api, one=encoded(pair[0]), other=encoded(pair[1])).values()) == {210}


def test_a_gradient_is_a_copy_of_itself(api: Api) -> None:
    picture = gradient((255, 0, 0), (0, 0, 255))
    assert insert(api, one=encoded(picture), other=encoded(picture.resize((400, 400)))) == {"one": 210, "other": 411}


def test_without_thumbnails_the_model_alone_decides(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(thumbnails=False)
    assert insert(api, blue=swatch(COLOURS["blue"]), yellow=swatch(COLOURS["yellow"])) == {"blue": 210, "yellow": 411}


def test_a_long_picture_that_shares_its_middle_is_another_picture(api: Api, clothing: Path) -> None:
    shoes = sorted((clothing / "shoes").glob("*.jpg"))

    def row(*three: Path) -> str:
        picture = Image.new("RGB", (1600, 900), "white")
        for path, (left, width) in zip(three, ((0, 350), (350, 900), (1250, 350)), strict=True):
            with Image.open(path) as one:
                picture.paste(one.convert("RGB").resize((width, 900)), (left, 0))
        return encoded(picture, "JPEG")

    rows = {"one": row(shoes[0], shoes[20], shoes[40]), "other": row(shoes[60], shoes[20], shoes[80])}
    assert set(insert(api, **rows).values()) == {210}


@pytest.mark.parametrize("ratio", [4 / 3, 16 / 9])
def test_pictures_that_share_their_middle_are_stored_in_one_request_and_their_copies_are_not(
    api: Api, ratio: float
) -> None:
    middle, *sides = (photo(number, (300, 300)) for number in range(7))
    rows = {f"r{n}": around(middle, sides[2 * n : 2 * n + 2], ratio, upright=n == 2) for n in range(3)}
    records = [{"_id": name, "_base64": encoded(row)} for name, row in rows.items()]
    records += [{"_id": f"{name}-copy", "_base64": encoded(row, "JPEG")} for name, row in rows.items()]
    got = api.post("nearDupsInsert", {"records": records}, code=211)
    assert {record["_id"] for record in got["answer_records"]} == set(rows)
    assert {record["_id"]: record["_reason"]["answer_records"][0]["_id"] for record in got["skipped_records"]} == {
        f"{name}-copy": name for name in rows
    }


def test_beyond_the_radius_of_near_duplicates_the_model_alone_decides(api: Api) -> None:
    records = [{"_id": name, "_base64": swatch(COLOURS[name])} for name in ("blue", "yellow")]
    got = api.post("nearDupsInsert", {"records": records, "radius": 6}, code=211)
    assert [record["_id"] for record in got["skipped_records"]] == ["yellow"]


def test_a_hash_is_doubted_about_plain_colours_alone(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(service="image_matching")
    api.prefix = "image_matching"
    assert insert(api, **{name: swatch(colour) for name, colour in COLOURS.items()}) == dict.fromkeys(COLOURS, 210)
    assert insert(api, again=swatch(COLOURS["violet"], "JPEG")) == {"again": 411}
    shown = photo(1)
    assert insert(api, shown=encoded(shown), grey=encoded(shown.convert("L"))) == {"shown": 210, "grey": 411}


def test_a_record_without_a_picture_is_judged_by_its_vector_alone(api: Api) -> None:
    insert(api, blue=swatch(COLOURS["blue"]))
    with api.context.db.session() as connection:
        connection.execute(
            "SELECT lookalike.insert_record(%(name)s, 'by SQL', '{}', lookalike.vector_of(%(name)s, 'blue')::vector)",
            {"name": api.collection},
        )
    assert api.post("delete", {"records": [{"_id": "blue"}]}, code=220)
    assert insert(api, yellow=swatch(COLOURS["yellow"])) == {"yellow": 411}


@pytest.mark.parametrize("method", ["insert", "nearDupsInsert"])
def test_the_same_records_at_once_in_another_order_are_answered(api: Api, method: str) -> None:
    """Two callers that lock the same ids each in an order of its own wait for each other until one is given up."""
    for turn in range(6):
        records = [{"_id": f"{turn}-{n}", "_base64": encoded(drawing(20 * turn + n))} for n in range(8)]
        start = Barrier(2)

        def send(name: str, given: list[dict[str, str]], start: Barrier = start) -> int:
            start.wait(10)
            return int(api.post(name, {"records": given})["status"]["code"])

        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(send, "nearDupsInsert", records[::-1])
            other = pool.submit(send, method, records)
            codes = {one.result(), other.result()}
        assert codes <= {210, 211, 411}, codes
    assert api.post("getRecordCount")["answer_count"] >= 6


def test_ids_taken_meanwhile_are_let_go_before_it_is_decided_anew(api: Api) -> None:
    """Ids of a first try that are held in a second one would be locked out of order."""
    records = [
        {"_id": "b", "_base64": encoded(drawing(1))},
        {"_id": "a", "_base64": encoded(drawing(1))},
        {"_id": "z", "_base64": encoded(drawing(2))},
    ]
    add = "SELECT lookalike.insert_record(%s, %s, '{}', ('[1' || repeat(',0', 255) || ']')::vector)"
    database = api.context.db
    with ThreadPoolExecutor(1) as pool, database.session() as first, database.session() as second:
        with second.transaction():
            second.execute(add, (api.collection, "a"))
            with first.transaction():
                first.execute(add, (api.collection, "b"))
                answer = pool.submit(api.post, "nearDupsInsert", {"records": records})
                wait_for_waiting(first)
            # b is taken now, a no longer a twin of it: the request waits for a, and must not hold z meanwhile.
            wait_for_waiting(second)
            second.execute("SET LOCAL lock_timeout = '2s'")
            second.execute(add, (api.collection, "z"))
        got = answer.result()
    assert got["status"]["code"] == 411
    assert {record["_id"] for record in got["skipped_records"]} == {"a", "b", "z"}


def test_a_twin_that_another_caller_stored_meanwhile_is_a_twin(api: Api, new_collection: Callable[..., str]) -> None:
    """The request's own twin is lost, and the other caller's of the same id and picture takes its place."""
    mine, other = api.collection, new_collection()
    picture = encoded(drawing(1))
    api.collection = other
    api.post("insert", {"records": [{"_id": "b", "_base64": picture}]}, code=210)
    api.collection = mine
    records = [{"_id": "b", "_base64": picture}, {"_id": "a", "_base64": picture}]
    with ThreadPoolExecutor(1) as pool, api.context.db.session() as first:
        with first.transaction():
            first.execute(
                "SELECT lookalike.insert_record(%s, 'b', '{}', lookalike.vector_of(%s, 'b')::vector)", (mine, other)
            )
            answer = pool.submit(api.post, "nearDupsInsert", {"records": records})
            wait_for_waiting(first)
        got = answer.result(60)
    assert got["status"]["code"] == 411
    twins = {one["_id"]: one["_reason"].get("answer_records") for one in got["skipped_records"]}
    assert twins["b"] is None
    assert [twin["_id"] for twin in twins["a"]] == ["b"]
