"""What every model of the registry must do. A new model is tested by being in the table."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import InvalidRequest
from app.domain.options import ImageLimits, ModelOptions
from app.domain.services import SERVICES
from app.embedding.models import efficientnet_lite0, registry
from app.embedding.models.base import Embedder, normalised
from app.embedding.pictures.images import decode
from tests.pictures import encoded, photo

# A picture's vector may depend on the batch it is in by rounding alone: as a cosine distance, at most
BATCH_TOLERANCE = 1e-5


def loaded(name: str) -> Embedder:
    if name == "pdq" and find_spec("pdqhash") is None:
        pytest.skip("the extra pdq is not installed: it needs a C++ compiler")
    return registry.load(name, ModelOptions())


@pytest.fixture(scope="module", params=sorted(registry.MODELS))
def model(request: pytest.FixtureRequest) -> Embedder:
    return loaded(request.param)


def cosine_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(1 - (one.astype(np.float64) * other.astype(np.float64)).sum(axis=1))


def vectors(model: Embedder, pictures: list[Image.Image]) -> np.ndarray:
    return model.embed([model.prepare(picture) for picture in pictures])


def test_facts_are_known_without_loading_and_true_after(model: Embedder) -> None:
    facts = registry.describe(model.facts.name, ModelOptions())
    assert facts == model.facts
    assert facts in registry.available()
    assert 1 <= facts.dimensions <= 4000  # what an HNSW index on halfvec takes
    assert facts.distance_scale > 0
    assert facts.revision
    assert facts.licence


def test_rows_are_finite_unit_vectors_of_the_stated_dimension(model: Embedder) -> None:
    rows = vectors(model, [photo(number) for number in range(5)])
    assert rows.shape == (5, model.facts.dimensions)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_no_pictures_give_no_rows(model: Embedder) -> None:
    assert model.embed([]).shape == (0, model.facts.dimensions)


def test_a_picture_has_one_vector_alone_in_a_batch_and_beyond_one(model: Embedder) -> None:
    pictures = [photo(number) for number in range(19)]
    together = vectors(model, pictures)
    alone = np.vstack([vectors(model, [picture]) for picture in pictures])
    assert cosine_distances(together, alone).max() <= BATCH_TOLERANCE
    backwards = vectors(model, pictures[::-1])[::-1]
    assert cosine_distances(together, backwards).max() <= BATCH_TOLERANCE


def test_a_picture_at_half_its_size_is_a_near_duplicate_and_nearest_to_itself(model: Embedder) -> None:
    pictures = [photo(number, (640, 480)) for number in range(8)]
    rows = vectors(model, pictures).astype(np.float64)
    halves = vectors(model, [picture.reduce(2) for picture in pictures]).astype(np.float64)
    distances = model.facts.distance_scale * (1 - halves @ rows.T)
    assert distances.argmin(axis=1).tolist() == list(range(8))
    assert distances.diagonal().max() <= 5.0


def test_the_same_picture_gives_the_same_bytes_again(model: Embedder) -> None:
    assert np.array_equal(vectors(model, [photo(3)]), vectors(model, [photo(3)]))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 900), (224, 224), (223, 225), (3000, 2000)])
def test_pictures_of_any_size_are_taken(model: Embedder, size: tuple[int, int]) -> None:
    prepared = model.prepare(Image.new("RGB", size, "teal"))
    assert prepared.shape[-3:] == model.prepare(photo(0)).shape[-3:]
    assert prepared.nbytes < 4_000_000
    assert np.isfinite(model.embed([prepared])).all()


@pytest.mark.parametrize("colour", ["black", "white", "#7f7f7f", "red"])
def test_pictures_of_one_colour_have_a_direction(model: Embedder, colour: str) -> None:
    assert np.linalg.norm(vectors(model, [Image.new("RGB", (50, 50), colour)])) == pytest.approx(1, abs=1e-5)


def test_preparing_is_safe_in_threads_and_leaves_the_picture_alone(model: Embedder) -> None:
    picture = photo(5)
    before = picture.tobytes()
    expected = model.prepare(picture).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: model.prepare(picture).tobytes(), range(50))) == {expected}
    assert picture.tobytes() == before


@pytest.mark.parametrize("name", sorted(registry.MODELS))
def test_loading_prints_nothing(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    loaded(name)
    assert capfd.readouterr() == ("", "")


def test_a_library_s_warnings_are_ignored_in_all_threads_and_the_list_of_filters_does_not_grow() -> None:
    import warnings

    from app.embedding.warnings import ignore_remarks

    def work(number: int) -> None:
        for _ in range(50):
            ignore_remarks(r"torch\.jit\.", DeprecationWarning)
            ignore_remarks(r"PIL\.")
            warnings.warn_explicit("old", DeprecationWarning, "here", number, module="torch.jit._script")

    work(0)
    before = len(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(warnings.filters) <= before + 2
    with pytest.raises(DeprecationWarning):  # the others are still seen
        warnings.warn_explicit("old", DeprecationWarning, "here", 1, module="app.own")


def test_every_service_has_a_default_that_there_is() -> None:
    for service in SERVICES.values():
        assert registry.describe(service.model, ModelOptions()).dimensions > 0


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="there is no model 'nope'"):
        registry.load("nope", ModelOptions())


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_importing_loads_no_torch_and_makes_openmp_wait_quietly(given: str | None, expected: str) -> None:
    program = (
        "import json, os, sys\n"
        "from app.domain.options import ModelOptions\n"
        "from app.embedding.fetch import sources\n"
        "from app.embedding.models import batching, registry\n"
        "from app.embedding.pictures import images\n"
        "registry.available(); batching.Models(ModelOptions())\n"
        "heavy = [name for name in ('torch', 'transformers', 'onnxruntime') if name in sys.modules]\n"
        "print(json.dumps([heavy, os.environ['OMP_WAIT_POLICY']]))\n"
    )
    environment = {"OMP_WAIT_POLICY": given} if given else {}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=root, env=environment, check=True)
    assert json.loads(done.stdout) == [[], expected]


@pytest.mark.parametrize("bad", [[[0.0, 0.0]], [[np.nan, 1.0]], [[np.inf, 1.0]], [[1.0, 0.0], [0.0, 0.0]]])
def test_a_vector_without_direction_is_an_error(bad: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="without a direction"):
        normalised(np.array(bad, np.float32))


def test_edited_photos_stay_within_the_near_duplicate_radius(clothing: Path) -> None:
    paths = sorted(clothing.glob("*/*.jpg"))[::40]
    model = registry.load("efficientnet-lite0", ModelOptions())
    photos = [decode(path.read_bytes(), ImageLimits()) for path in paths]
    rows = vectors(model, photos)
    edits = {
        "saved again": [decode(encoded(one, "JPEG", quality=75), ImageLimits()) for one in photos],
        "half size": [one.reduce(2) for one in photos],
        "decoded small": [decode(path.read_bytes(), ImageLimits(), target=224) for path in paths],
    }
    for name, edited in edits.items():
        distances = 62.5 * (1 - vectors(model, edited).astype(np.float64) @ rows.T.astype(np.float64))
        assert (distances.argmin(axis=1) == np.arange(len(paths))).mean() >= 0.97, name
        assert (distances.diagonal() <= 5.0).mean() >= 0.95, name


def _in_a_row(three: list[Path], *, upright: bool) -> Image.Image:
    """Three photos beside each other (or below), the one in the middle filling the square in the middle."""
    picture = Image.new("RGB", (1600, 900), "white")
    for path, (left, width) in zip(three, ((0, 350), (350, 900), (1250, 350)), strict=True):
        with Image.open(path) as one:
            picture.paste(one.convert("RGB").resize((width, 900)), (left, 0))
    return picture.transpose(Image.Transpose.ROTATE_90) if upright else picture


@pytest.mark.parametrize("upright", [False, True])
def test_what_lies_outside_the_middle_square_of_a_long_picture_counts(clothing: Path, upright: bool) -> None:
    model = loaded("efficientnet-lite0")
    shoes = sorted((clothing / "shoes").glob("*.jpg"))
    triples = [((n, n + 20, n + 40), (n + 60, n + 20, n + 80)) for n in range(4)]
    ones, others = (
        vectors(model, [_in_a_row([shoes[n] for n in pair[side]], upright=upright) for pair in triples])
        for side in (0, 1)
    )
    assert (model.facts.distance_scale * cosine_distances(ones, others)).min() > 5


def test_up_to_3_to_2_the_middle_square_stands_for_the_picture_as_in_the_revision_before() -> None:
    now = loaded("efficientnet-lite0")
    before = registry.load("efficientnet-lite0", ModelOptions(), revision=efficientnet_lite0.MIDDLE_ONLY.revision)
    assert before.facts.revision != now.facts.revision
    for size in ((640, 480), (480, 640), (500, 500), (1500, 1000)):
        assert np.array_equal(now.prepare(photo(1, size)), before.prepare(photo(1, size)))
    assert before.prepare(photo(1, (1600, 900))).shape == (1, 224, 224, 3)
    assert now.prepare(photo(1, (1600, 900))).shape == (2, 224, 224, 3)


def test_the_squares_of_a_long_picture_move_apart_as_it_gets_longer() -> None:
    """A hair's difference in size must not be one in the vector: copies are often cut by a pixel."""
    model = loaded("efficientnet-lite0")
    wide = photo(2, (3400, 1000))
    for longer in (1500, 1600, 1750, 2000, 2500, 3400):
        cut = [wide.crop((0, 0, longer - less, 1000)) for less in (0, 4)]
        near = vectors(model, cut[:1]), vectors(model, cut[1:])
        assert model.facts.distance_scale * cosine_distances(*near).max() < 2, longer
