"""Ours beside other engines, on few vectors: real engines in processes of their own, with answers that are checked."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from app import create_context
from app.config import Settings
from app.services.pipeline import Item
from tests.bench import growth, plots
from tests.bench.growth import Measured
from tests.bench.peers.base import CUTOFF, FACET, GROUPS, PEERS, Peer
from tests.bench.peers.compare import REFINED, Result, compare
from tests.bench.peers.job import Answers, Round
from tests.bench.peers.tables import tables
from tests.bench.peers.truth import Judged, Refined, Truth
from tests.bench.power_law import power
from tests.bench.setup import Setup
from tests.bench.shop import Condition, Shop
from tests.bench.vectors import Crops
from tests.db.vectors import random_vectors

_RECORDS = 1200


@pytest.fixture
def setup(database_url: str, settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Setup]:
    context = create_context(settings(), database_url)
    context.db.open()
    yield Setup(context, [], tmp_path, {}, _RECORDS, 0.2, lambda _: None)
    context.pictures.close()
    context.models.close()
    context.db.close()


@pytest.fixture
def crops() -> Crops:
    vectors = random_vectors(_RECORDS + 50, 256, clusters=40).astype(np.float16)
    sources = [Item(f"photo{number % 20}", {"category": f"class{number % 4}"}, bytes) for number in range(_RECORDS)]
    return Crops(vectors[:_RECORDS], sources, vectors[_RECORDS:])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.module)
def test_an_engine_stores_finds_filters_and_updates(setup: Setup, crops: Crops, peer: Peer) -> None:
    for package in peer.packages:
        try:
            version(package)
        except PackageNotFoundError:
            pytest.skip(f"{package} is not installed: pip install 'lookalike[peers]'")
    (result,) = compare(setup, crops, [peer])
    assert result.failure is None
    assert result.built is not None
    assert result.searched is not None
    assert result.efforts[-1][1].recall > 0.95
    assert [judged.wrong for _, judged in (*result.efforts, *result.visits)] == [0] * len(
        (*result.efforts, *result.visits)
    )
    assert bool(result.visits) == result.built.filters == result.update_seen
    assert result.searched.disk > crops.stored.nbytes / 2
    if peer.module == "own":
        assert min(judged.recall for _, judged in result.visits) >= 0.98
        assert not any(judged.short for _, judged in result.visits)
    assert {REFINED[name][0] for name, _ in result.refined} == set(peer.refined)
    assert not any(one.wrong for _, one in result.refined)
    assert len(tables([result], _RECORDS)) == 5


def test_an_engine_that_is_missing_or_fails_is_a_row_that_says_so(setup: Setup, crops: Crops) -> None:
    missing = Peer("Absent", "absent", ("no-such-engine",), "not set up")
    broken = Peer("Broken", "no_such_module", (), "not set up")
    results = compare(setup, crops, [missing, broken])
    assert results[0].failure == "not installed (no-such-engine): pip install 'lookalike[peers]'"
    assert "No module named 'tests.bench.peers.no_such_module'" in (results[1].failure or "")
    text = "\n".join(table.markdown() for table in tables(results, _RECORDS))
    assert "pip install 'lookalike[peers]'" in text
    assert "no_such_module" in text


def test_no_engine_is_imported_by_the_program() -> None:
    code = (
        "import sys, tests.bench.suite;"
        "print({'qdrant_edge', 'chromadb', 'lancedb', 'pymilvus', 'usearch', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_answers_are_judged_with_ties_and_without_what_does_not_match() -> None:
    vectors = np.array([[1, 0], [2, 0], [0, 1], [-1, 0]], np.float32)
    shop = Shop(
        price=np.array([5.0, 50.0, 5.0, 5.0]),
        category=np.array(["a", "a", "b", "b"]),
        brand=np.array([""] * 4),
        photo=np.array([""] * 4),
        in_stock=np.ones(4, bool),
    )
    truth = Truth(vectors, np.array([[3, 0]] * 4, np.float32), shop, 1)
    tied = truth.judge(Round("", None, None, 4, 1), Answers([[0], [1], [2], []], [1.0, 1.0, 1.0, 5.0]))
    assert (tied.recall, tied.least, tied.short, tied.wrong, tied.p50_ms) == (0.5, 0.0, 1, 0, 1.0)
    assert tied.rate == 500
    cheap = Round("", None, [Condition(below=10.0)] * 4, 4, 1)
    judged = truth.judge(cheap, Answers([[0], [1], [0, 0], [2]], [1.0] * 4))
    assert (judged.recall, judged.wrong, judged.short) == (0.5, 2, 0)
    assert judged.flags == "2 wrong"
    nothing = truth.judge(Round("", None, [Condition(category="c")], 1, 1), Answers([[]], [1.0]))
    assert (nothing.recall, nothing.short) == (1.0, 0)


def test_facets_and_radii_are_judged_by_the_true_answers() -> None:
    vectors = np.array([[1, 0], [2, 0], [0, 1]], np.float32)
    shop = Shop(
        price=np.array([5.0, 50.0, 5.0]),
        category=np.array(["a", "a", "b"]),
        brand=np.array([""] * 3),
        photo=np.array([""] * 3),
        in_stock=np.ones(3, bool),
    )
    truth = Truth(vectors, np.array([[3, 0]] * 3, np.float32), shop, 1)
    answers = Answers([[2, 1], [1, 1], [1, 2]], [1.0, 2.0, 9.0])
    assert truth.refined(Round("", None, None, 3, 1, FACET), answers) == Refined(2.0, 3, 2)
    cheap = Round("", None, [Condition(below=10.0)] * 3, 3, 1, FACET)
    assert truth.refined(cheap, answers).wrong == 2
    assert truth.refined(Round("", None, None, 2, 1, CUTOFF), Answers([[], [0]], [1.0, 1.0])).wrong == 1
    assert truth.refined(Round("", None, None, 1, 1, GROUPS), Answers([[0]], [1.0])).wrong is None


def test_a_power_law_is_found_again() -> None:
    sizes = [1000.0, 2000.0, 8000.0]
    fit = power(sizes, [3 * size**1.2 for size in sizes])
    assert fit.exponent == pytest.approx(1.2)
    assert fit.off == pytest.approx(0, abs=1e-9)
    assert fit.at(10_000_000) == pytest.approx(3 * 10_000_000**1.2)
    assert power([1, 10, 100], [2, 2, 2]).exponent == pytest.approx(0, abs=1e-9)
    assert fit.holds
    assert not power([1, 10, 100], [1, 90, 100]).holds


@pytest.mark.parametrize(("numbers", "values"), [([5], [1]), ([5, 5], [1, 2]), ([1, 2], [0, 1]), ([1, 2], [1, -1])])
def test_no_power_law_of_one_size_or_of_nothing(numbers: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="power law"):
        power(numbers, values)


def test_growth_is_measured_fitted_and_extrapolated(setup: Setup, crops: Crops) -> None:
    searching, growing = growth.grown(setup, crops)
    assert [row[0] for row in searching.rows] == ["144", "300", "600", "1,200"]
    assert all(float(cell.split(",")[0]) >= 0.98 for row in searching.rows for cell in row[1:])
    table = {row[0]: row for row in growing.rows}
    assert 0.8 < float(table["table MiB"][-3]) < 1.2
    assert "10,000,000 vectors, extrapolated" in " ".join(growing.notes)


def _judged(recall: float, milliseconds: float) -> Judged:
    return Judged(recall, recall, milliseconds, milliseconds, 1000 / milliseconds, 10, 0, 0)


def test_plots_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `peers` is not installed")
    results = [
        Result(
            peer,
            efforts=((40, _judged(0.9, 1.0)), (400, _judged(0.99, 4.0))),
            visits=(("price, 1 %", _judged(1.0, 0.5)), ("own category", _judged(0.98, 2.0))),
        )
        for peer in PEERS
    ]
    rows = [
        Measured(n, n / 9, n / 8, n / 7, n / 6, n / 5, n / 4, {"no filter": _judged(0.99, n**0.3)}) for n in (10, 90)
    ]
    drawn: list[list[bytes]] = []
    for name in ("one", "two"):
        folder = tmp_path / name
        assert "growth.svg" in plots.told(folder, lambda at: plots.growth(at, rows, growth.fitted(rows), 1000))
        assert "peers-recall.svg" in plots.told(folder, lambda at: plots.peers(at, results))
        drawn.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert drawn[0] == drawn[1]
    assert [ElementTree.fromstring(text).tag.rpartition("}")[2] for text in drawn[0]] == ["svg"] * 3


def test_without_matplotlib_a_line_says_why_there_is_no_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install 'lookalike[peers]'" in plots.told(tmp_path / "none", lambda _: [])
    assert not (tmp_path / "none").exists()
