"""The benchmarks of tags and near duplicates, on few vectors: they run, and say what is true."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app import create_context
from app.config import Settings
from app.services.pipeline import Item
from tests.bench import duplicates, filtered, recall, tagging
from tests.bench.setup import Setup
from tests.bench.vectors import Crops
from tests.db.vectors import random_vectors


@pytest.fixture
def setup(database_url: str, settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Setup]:
    context = create_context(settings(), database_url)
    context.db.open()
    yield Setup(context, [], tmp_path, {}, 400, 0.2, lambda _: None)
    context.pictures.close()
    context.models.close()
    context.db.close()


@pytest.fixture
def crops() -> Crops:
    vectors = random_vectors(440, 256, clusters=40).astype(np.float16)
    sources = [Item(f"photo{number % 20}", {"category": f"class{number % 4}"}, bytes) for number in range(400)]
    return Crops(vectors[:400], sources, vectors[400:])


def test_looks_and_tags_together_are_all_found_among_few_records(setup: Setup, crops: Crops) -> None:
    with setup.collection("bench-tags") as collection:
        filled = recall.fill(setup, collection, crops, tagging.attributes)
        table = tagging.measure(setup, filled, crops)
    assert len(table.rows) == 6
    assert [row[2] for row in table.rows] == ["1.0000"] * 6
    assert table.targets[0].met


def test_near_duplicates_are_measured_at_every_size(setup: Setup, crops: Crops) -> None:
    with setup.collection("bench-duplicates") as collection:
        table = duplicates.measure(setup, collection, crops)
    assert [row[0] for row in table.rows] == ["100", "200", "400", "800"]
    assert all(float(cell) >= 0 for row in table.rows for cell in row if cell)
    assert table.rows[-1][-1] == ""


def test_filtered_searches_are_measured_with_and_without_an_index(setup: Setup, crops: Crops) -> None:
    with setup.collection("bench-filtered") as collection:
        filled = filtered.fill(setup, collection, crops)
        assert filled.indexed
        assert filled.indexed_fields == {"price"}
        shop, unserved, indexed = filtered.measure(setup, filled, crops)
    assert len(shop.rows) == 12
    assert len(unserved.rows) == 24
    assert [row[0] for row in indexed.rows] == [row[0] for row in shop.rows if "category" in row[0]]
    assert {target.name: target.met for target in (*shop.targets, *unserved.targets, *indexed.targets)} == {
        "a shop's categories, an index each: recall@20 of each": True,
        "a shop's categories, an index each: p50 of each": False,
        "a shop's categories, an index each: 20 records where as many match": True,
        "a shop's filters: recall@20 of each": True,
        "a shop's filters: p50 of each": False,  # 400 vectors prove nothing
        "a shop's filters: 20 records where as many match": True,
        "filters without an index: recall@20": True,
        "filters without an index: 20 records where as many match": True,
    }
    assert {row[0]: row[1] for row in shop.rows}["own category"] == "25.00"
