"""Does the default model put what belongs together side by side, on real photos?"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models import registry
from app.embedding.models.base import Embedder
from app.embedding.pictures.images import decode
from tests.pictures import encoded, photo

CLASSES = 10
IN_COLLECTION, QUERIES = 60, 10  # photos of each class
EARLY = 448  # short side, at least, of pictures that are scaled down while they are decoded


@pytest.fixture(scope="module")
def model() -> Embedder:
    return registry.load("efficientnet-lite0", ModelOptions())


def vectors(model: Embedder, pictures: list[Image.Image]) -> np.ndarray:
    return model.embed([model.prepare(picture) for picture in pictures])


def chosen(folder: Path) -> tuple[list[Path], list[Path]]:
    """The same photos every time, spread over a class; every seventh of them is a query."""
    every = (IN_COLLECTION + QUERIES) // QUERIES
    paths = sorted(folder.glob("*.jpg"))
    paths = paths[:: len(paths) // (IN_COLLECTION + QUERIES)][: IN_COLLECTION + QUERIES]
    return [path for number, path in enumerate(paths) if number % every], paths[::every]


def embedded(model: Embedder, paths: list[Path]) -> np.ndarray:
    return vectors(model, [decode(path.read_bytes(), ImageLimits(), target=EARLY) for path in paths])


def test_neighbours_are_of_the_same_class(model: Embedder, clothing: Path) -> None:
    folders = sorted(path for path in clothing.iterdir() if path.is_dir())
    pairs = [chosen(folder) for folder in folders]
    collection = [path for kept, _ in pairs for path in kept]
    queries = [path for _, asked in pairs for path in asked]
    assert (len(collection), len(queries)) == (CLASSES * IN_COLLECTION, CLASSES * QUERIES)

    similarity = embedded(model, queries) @ embedded(model, collection).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :10]
    kinds = np.array([path.parent.name for path in collection])
    same = kinds[nearest] == np.array([path.parent.name for path in queries])[:, None]
    # Measured: .74 and .68; .82 and .76 among all 3,068 photos, where more of a kind are there to be found. Queries
    # upside down fall to about .53 and .48, the bare colours of `pixels` to .37 and .25. That the vectors are exactly
    # those of the definition (the order of the channels, say, hardly shows here) is a test of its own.
    assert same[:, 0].mean() >= 0.66
    assert same.mean() >= 0.62


@pytest.mark.parametrize("size", [(900, 1200), (2000, 1500), (2400, 1900)])
def test_scaling_down_early_hardly_moves_a_vector(model: Embedder, size: tuple[int, int]) -> None:
    data = [encoded(photo(number, size), "JPEG", quality=90) for number in range(3)]
    whole = vectors(model, [decode(one, ImageLimits()) for one in data]).astype(np.float64)
    early = [decode(one, ImageLimits(), target=EARLY) for one in data]
    assert all(EARLY <= min(picture.size) < min(size) for picture in early)
    distances = model.facts.distance_scale * (1 - (vectors(model, early) * whole).sum(axis=1))
    assert distances.max() < 0.5  # of 5.0, the radius of near duplicates
