"""The demo's own catalogue: the same everywhere, every kind in it, pictures with something on them."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from app.demo.canvas import Canvas, Pose
from app.demo.catalogue import Product, catalogue, write_folder
from app.demo.kind import Kind
from app.demo.kinds import KINDS
from app.demo.look import Look
from app.demo.palette import ACCENTS, COLOURS, WHITE
from app.demo.patterns import PATTERNS, Paint
from app.demo.sheet import contact_sheet, write_sheet
from app.demo.studio import BACKDROPS


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return catalogue()


def _fingerprint(count: int) -> str:
    found = sha256()
    for product in catalogue(count):
        found.update(json.dumps([product.id, product.attributes]).encode())
        found.update(product.draw(64).tobytes())
    return found.hexdigest()


def test_another_process_makes_the_same_catalogue() -> None:
    program = "from tests.unit.test_demo_catalogue import _fingerprint; print(_fingerprint(40))"
    other = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == _fingerprint(40)


def test_drawing_twice_gives_the_same_pixels(products: list[Product]) -> None:
    assert products[20].draw(96).tobytes() == products[20].draw(96).tobytes()


def test_another_seed_makes_another_catalogue() -> None:
    assert [p.attributes["name"] for p in catalogue(30, seed=8)] != [p.attributes["name"] for p in catalogue(30)]


def test_count_and_unique_ids(products: list[Product]) -> None:
    assert len(products) == 400
    assert len({product.id for product in products}) == 400


@pytest.mark.parametrize("count", [0, 1, 9, 33, 60])
def test_a_shorter_catalogue_is_the_beginning_of_a_longer_one(products: list[Product], count: int) -> None:
    assert [p.id for p in catalogue(count)] == [p.id for p in products[:count]]


def test_each_kind_is_there_about_equally_often(products: list[Product]) -> None:
    found = Counter(product.attributes["category"] for product in products)
    assert set(found) == {kind.name for kind in KINDS}
    assert len(found) >= 12
    assert min(found.values()) >= 8


def test_colours_and_patterns_are_varied(products: list[Product]) -> None:
    assert len({product.attributes["color"] for product in products}) >= 10
    assert {product.attributes["pattern"] for product in products} == {"plain", *PATTERNS}


def test_attributes_have_the_types_that_filters_are_shown_on(products: list[Product]) -> None:
    for product in products:
        facts = product.attributes
        for name in ("name", "category", "brand", "currency", "color", "pattern", "seller", "product_id", "material"):
            assert isinstance(facts[name], str), (product.id, name)
        assert isinstance(facts["price"], float)
        assert facts["price"] > 0
        assert isinstance(facts["rating"], float)
        assert 1 <= facts["rating"] <= 5
        assert isinstance(facts["in_stock"], bool)
        assert date(2022, 1, 1) < date.fromisoformat(str(facts["released"])) < date(2026, 1, 1)
        for name in ("sizes", "tags"):
            words = facts[name]
            assert isinstance(words, list), (product.id, name)
            assert words, (product.id, name)
            assert all(isinstance(word, str) for word in words)
        assert json.loads(json.dumps(facts)) == facts


def test_homeware_has_dimensions(products: list[Product]) -> None:
    for product in products:
        at_home = product.attributes["department"] == "home"
        assert ("dimensions" in product.attributes) == at_home, product.id
        if at_home:
            measures = product.attributes["dimensions"]
            assert isinstance(measures, dict)
            assert set(measures) == {"width_cm", "height_cm", "depth_cm"}


def test_brands_are_skewed_and_most_is_in_stock(products: list[Product]) -> None:
    brands = Counter(product.attributes["brand"] for product in products).most_common()
    assert brands[0][1] > 5 * brands[-1][1]
    assert 0.85 < sum(product.attributes["in_stock"] is True for product in products) / len(products) < 0.95


def test_some_products_come_in_two_pictures(products: list[Product]) -> None:
    by_product = Counter(product.attributes["product_id"] for product in products)
    twice = [product for product in products if by_product[product.attributes["product_id"]] == 2]
    assert len(twice) >= 60
    first, second = (p for p in products if p.attributes["product_id"] == twice[0].attributes["product_id"])
    assert {first.attributes["view"], second.attributes["view"]} == {"front", "side"}
    assert first.draw(64).tobytes() != second.draw(64).tobytes()


def test_some_pictures_are_copied_by_another_seller(products: list[Product]) -> None:
    by_id = {product.id: product for product in products}
    copies = [product for product in products if product.copy]
    assert len(copies) >= 10
    assert len({product.copy for product in copies}) >= 3
    for copy in copies:
        original = by_id[copy.id.removesuffix("-resold")]
        assert copy.attributes["seller"] != original.attributes["seller"]
        assert copy.attributes["product_id"] != original.attributes["product_id"]
        assert copy.attributes["name"] == original.attributes["name"]
        difference = ImageStat.Stat(ImageChops.difference(copy.draw(128), original.draw(128)))
        assert 0 < max(difference.mean) < 30, copy.id


def test_pictures_show_something_in_the_middle_of_a_light_studio(products: list[Product]) -> None:
    for product in products[:60]:
        picture = product.draw(96)
        assert picture.mode == "RGB"
        assert picture.size == (96, 96)
        assert max(ImageStat.Stat(picture).stddev) > 8, product.id
        assert min(ImageStat.Stat(picture.crop((0, 0, 8, 8))).mean) > 200, product.id


def test_nothing_is_cut_off_at_the_edges(products: list[Product]) -> None:
    for product in products[::2]:
        canvas = Canvas(48, product.look.pose)
        product.kind.draw(canvas, product.look)
        cover = canvas.image.getchannel("A")
        sides = [(0, 0, 1, 48), (47, 0, 48, 48), (0, 47, 48, 48)]
        assert all(ImageStat.Stat(cover.crop(side)).mean[0] < 16 for side in sides), product.id


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_variant_of_a_kind_can_be_drawn(kind: Kind) -> None:
    options = {name: o.split() if isinstance(o, str) else [*o] for name, o in kind.shape.items()}
    for turn in range(max(len(choices) for choices in options.values())):
        shape = {name: choices[turn % len(choices)] for name, choices in options.items()}
        look = Look(f"{turn}", shape, "teal", "white", "plain")
        canvas = Canvas(48, Pose())
        kind.draw(canvas, look)
        box = canvas.image.getbbox()
        assert box is not None, shape
        # What stands on the floor reaches down to it (the page is 100 units, the canvas 48 pixels).
        ground = kind.ground_of(look)
        assert ground is None or abs(box[3] - ground.y * 0.48) < 3, shape


@pytest.mark.parametrize("pattern", [*PATTERNS])
def test_each_pattern_shows_both_colours(pattern: str) -> None:
    cloth = Paint(COLOURS["navy"], WHITE, pattern, seed="1").cloth((120, 120), 1.2, 10, (60, 60))
    assert cloth.size == (120, 120)
    assert max(ImageStat.Stat(cloth).stddev) > 12


def test_tables_name_known_colours() -> None:
    assert set(ACCENTS) == set(COLOURS)
    assert {accent for accents in ACCENTS.values() for accent in accents} <= set(COLOURS)
    assert {colour for kind in KINDS for colour in kind.colours.split()} <= set(COLOURS)
    assert {pattern for kind in KINDS for pattern in kind.patterns.split()} <= {"plain", *PATTERNS}
    assert all(min(backdrop.tint) > 220 for backdrop in BACKDROPS.values())


def test_write_folder_writes_what_load_takes(tmp_path: Path) -> None:
    seen: list[int] = []
    lines = write_folder(tmp_path / "new", 12, size=48, progress=seen.append)
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert lines == tmp_path / "new" / "catalogue.jsonl"
    assert [record["_id"] for record in records] == [product.id for product in catalogue(12)]
    assert sum(seen) == 12
    assert sorted(path.name for path in lines.parent.iterdir()) == sorted(
        ["catalogue.jsonl", *(record["_file"] for record in records)]
    )
    with Image.open(lines.parent / records[0]["_file"]) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (48, 48)


def test_contact_sheet_has_room_for_all() -> None:
    assert contact_sheet(catalogue(7), columns=3, tile=32, gap=2).size == (100, 100)


def test_the_picture_of_the_docs_is_small(tmp_path: Path) -> None:
    write_sheet(tmp_path / "images" / "sheet.png", 14)
    assert (tmp_path / "images" / "sheet.png").stat().st_size < 60_000
