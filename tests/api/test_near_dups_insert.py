"""nearDupsInsert: what a model cannot tell apart is not refused; what comes at once from two callers is answered."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from PIL import Image

from tests.api.conftest import Api, drawing, encoded
from tests.unit.test_verification import DIFFERENT, gradient

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
