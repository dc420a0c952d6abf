"""`lookalike model calibrate`: its counts against a computation pair by pair, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.demo.catalogue import catalogue
from app.domain.errors import InvalidRequest
from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models import registry
from app.embedding.pictures.edits import EDITS
from app.services.calibration import Embedded, calibrate, embed
from app.services.folders import folder_items
from tests.bench.edit_sheet import file_name, sheet
from tests.support.places import ROOT

_PRODUCTS = catalogue(24)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 products, one of them twice, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    for product in _PRODUCTS:
        product.picture(128).save(folder / f"{product.id}.png")
    (folder / "again.png").write_bytes((folder / f"{_PRODUCTS[0].id}.png").read_bytes())
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def embedded(photos: Path) -> Embedded:
    return embed(registry.load("phash", ModelOptions()), folder_items(photos), ImageLimits())


def test_each_edit_changes_the_picture_and_nothing_else() -> None:
    picture = _PRODUCTS[0].picture(200)
    before = picture.tobytes()
    for row in EDITS:
        edited = row.edit(picture)
        assert edited.mode == "RGB"
        assert (edited.size, edited.tobytes()) != (picture.size, before), row.name
        assert picture.tobytes() == before, row.name
        if row.light and "size" not in row.name:
            assert edited.size == picture.size
    assert len({row.name for row in EDITS}) == len(EDITS)


def test_what_cannot_be_read_or_comes_twice_is_told(embedded: Embedded) -> None:
    assert embedded.originals.shape == (24, 256)
    assert set(embedded.edited) == {row.name for row in EDITS}
    assert [own for own, _ in embedded.unreadable] == ["broken.png"]
    assert embedded.same_bytes == 1


@pytest.mark.parametrize("radius", [0.359375, 0.5, 0.8])
def test_precision_and_recall_are_those_of_counting_pair_by_pair(embedded: Embedded, radius: float) -> None:
    found = calibrate(embedded, 5.0 / radius)
    for one in found.edits:
        both = np.concatenate((embedded.originals, embedded.edited[one.name])).astype(np.float64)
        photo = np.tile(np.arange(24), 2)
        first, second = np.triu_indices(48, k=1)
        near = 1 - (both[first] * both[second]).sum(axis=1) <= radius + 1e-9
        own = photo[first] == photo[second]
        assert one.current.recall == pytest.approx((near & own).sum() / 24)
        wanted = (near & own).sum() / near.sum() if near.any() else 1.0
        assert one.current.precision == pytest.approx(wanted), one.name


def test_a_hash_survives_what_leaves_the_picture_in_its_place(embedded: Embedded) -> None:
    recall = {
        one.name: one.current.recall
        for one in calibrate(embedded, registry.describe("phash", ModelOptions()).distance_scale).edits
    }
    for name in ("JPEG quality 90", "half size", "black and white"):
        assert recall[name] == 1.0
    for name in ("mirrored", "crop 10 % a side"):
        assert recall[name] < 0.1


def test_the_proposal_lies_between_the_copies_and_the_others() -> None:
    """Copies at a cosine distance of .02, others at 1: any radius between separates, the least is proposed."""
    originals = np.eye(30, dtype=np.float32)
    angle = np.arccos(0.98)
    turned = np.cos(angle) * originals + np.sin(angle) * np.roll(originals, 1, axis=1)
    edited = {row.name: np.asarray(turned, np.float32) for row in EDITS}
    found = calibrate(Embedded(originals, edited), 62.5)
    assert 5.0 / found.proposed_scale == pytest.approx(0.02, abs=0.001)
    assert {(one.proposed.precision, one.proposed.recall) for one in found.edits} == {(1.0, 1.0)}
    assert found.look_alikes[0.5] == pytest.approx(1.0)
    too_narrow = calibrate(Embedded(originals, edited), 500)
    assert {(one.current.precision, one.current.recall) for one in too_narrow.edits} == {(1.0, 0.0)}


def test_too_few_photos_are_refused(photos: Path, tmp_path: Path) -> None:
    for name in ("again", "broken", *(product.id for product in _PRODUCTS[:19])):
        (tmp_path / f"{name}.png").write_bytes((photos / f"{name}.png").read_bytes())
    with pytest.raises(InvalidRequest, match="only 19 different photos can be read"):
        embed(registry.load("pixels", ModelOptions()), folder_items(tmp_path), ImageLimits())


def test_the_command_prints_one_json_value_or_a_table(photos: Path) -> None:
    run = CliRunner().invoke(cli, ["model", "calibrate", "phash", "--photos", str(photos), "--json"])
    assert run.exit_code == 0, run.output
    got = json.loads(run.stdout)
    assert (got["model"], got["photos"], got["same_bytes"]) == ("phash", 24, 1)
    assert [one["edit"] for one in got["edits"]] == [row.name for row in EDITS]
    assert got["distance_scale"]["current"] == registry.describe("phash", ModelOptions()).distance_scale
    told = CliRunner().invoke(cli, ["model", "calibrate", "phash", "--photos", str(photos), "--sample", "22"])
    assert told.exit_code == 0, told.output
    assert "| mirrored *" in told.stdout
    assert "20 different photos" in told.stdout or "21 different photos" in told.stdout


@pytest.mark.parametrize("model", ["no-such-model", "org/never-downloaded"])
def test_an_unknown_model_is_an_error(photos: Path, model: str) -> None:
    run = CliRunner().invoke(cli, ["model", "calibrate", model, "--photos", str(photos)])
    assert run.exit_code == 1
    assert isinstance(run.exception, InvalidRequest)


def test_the_docs_show_each_edit_with_its_picture() -> None:
    text = (ROOT / "docs" / "near-duplicates.md").read_text(encoding="utf-8")
    for row in EDITS:
        assert f"| {row.name} | ![{row.name}](images/edits/{file_name(row)}) |" in text
    drawn = {path.name for path in (ROOT / "docs" / "images" / "edits").iterdir()}
    assert drawn == {file_name(row) for row in EDITS}


def test_a_sheet_is_drawn_of_an_edit() -> None:
    pictures = [product.picture(96) for product in _PRODUCTS[:2]]
    made = sheet(pictures, EDITS[-1], [registry.load("phash", ModelOptions())])
    tile = made.width // 2
    assert made.height > 2 * tile
    assert made.crop((0, 0, 80, 80)).tobytes() != made.crop((0, 90, 80, 170)).tobytes()
