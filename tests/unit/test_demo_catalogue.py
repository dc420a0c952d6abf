"""The sample catalogue: real photographs with their licence, described as their maker says.

How far they lie from each other is tested where they are embedded: tests/db/test_sql_cookbook.py.
"""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from app.demo.catalogue import ARCHIVE, LICENCE, Product, catalogue, unpack
from tests.support import make_demo


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return catalogue()


def test_the_archive_is_small_and_has_its_licence() -> None:
    assert ARCHIVE.stat().st_size < 4 * 2**20
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert archive.read(LICENCE).startswith(b"Creative Commons Legal Code\n\nCC0 1.0 Universal")


def test_every_class_is_there_and_any_beginning_is_a_cross_section(products: list[Product]) -> None:
    assert len({one.id for one in products}) == len(products) == 400
    assert set(make_demo.CLASSES) == {one.attributes["category"] for one in products}
    shares = Counter(one.attributes["category"] for one in products[:100])
    assert min(shares.values()) >= 8
    assert [one.id for one in catalogue(30)] == [one.id for one in products[:30]]


def test_pictures_are_of_the_size_that_is_promised(products: list[Product]) -> None:
    for one in products:
        with Image.open(io.BytesIO(one.data)) as picture:
            assert picture.format == "WEBP"
            assert 100 < max(picture.size) <= 256
    assert max(products[0].picture(96).size) == 96


def test_attributes_have_the_types_that_filters_are_shown_on(products: list[Product]) -> None:
    for one in products:
        facts = one.attributes
        assert isinstance(facts["price"], float)
        assert isinstance(facts["tags"], list)
        assert facts["color"] == facts["colors"][0]  # type: ignore[index]
        assert facts["in_stock"] == (facts["stock"] > 0)  # type: ignore[operator]
        assert facts["season"] in ("spring", "summer", "autumn", "winter")
    sold_out = [one for one in products if not one.attributes["in_stock"]]
    assert 20 < len(sold_out) < 100


def test_some_products_have_two_or_three_pictures(products: list[Product]) -> None:
    pictures = Counter(one.attributes["product_id"] for one in products)
    assert {2, 3} <= set(pictures.values())
    views = Counter(one.attributes["view"] for one in products)
    assert (views["detail"], views["hem"]) == (16, 7)


def test_unpack_writes_what_load_takes(tmp_path: Path) -> None:
    lines = unpack(tmp_path / "new", 12)
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [record["_id"] for record in records] == [product.id for product in catalogue(12)]
    assert {path.name for path in lines.parent.iterdir()} == {
        lines.name, LICENCE, *(record["_file"] for record in records)
    }  # fmt: skip


def test_the_photos_give_this_archive(clothing: Path, products: list[Product]) -> None:
    """The whole order, and every twentieth picture with its line, byte for byte."""
    planned = list(make_demo.planned(clothing))
    assert [record.id for record in planned] == [one.id for one in products]
    for record, one in list(zip(planned, products, strict=True))[::20]:
        line, data = make_demo.made(record)
        assert {"_id": one.id, "_file": f"{one.id}.webp"} | one.attributes == line
        assert data == one.data
