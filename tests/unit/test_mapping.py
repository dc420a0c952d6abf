"""The numerics of maps, on vectors of real photographs: neighbours, the layout's trustworthiness, clusters."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models import registry
from app.embedding.pictures.images import decode
from app.mapping.clusters import clusters
from app.mapping.layout import Layout, beginning, edges
from app.mapping.neighbours import NEIGHBOURS, Comparison
from app.mapping.principal import principal
from tests.support.rows import Kept

Floats = NDArray[np.float32]
PHOTOS = 240


@pytest.fixture(scope="module")
def photos(clothing: Path) -> Floats:
    """Vectors of photographs by the default model, (n, dimensions), of unit length."""
    embedder = registry.load("efficientnet-lite0", ModelOptions())
    files = sorted(clothing.rglob("*.jpg"))
    some = files[:: len(files) // PHOTOS][:PHOTOS]
    made = [embedder.embed([embedder.prepare(decode(path.read_bytes(), ImageLimits()))])[0] for path in some]
    return np.asarray(made, np.float32)


def trustworthiness(rows: Floats, points: Floats, many: int = 5) -> float:
    """Return how much neighbours on the map are neighbours indeed (Venna and Kaski), 0 to 1."""
    total = len(rows)
    ranks = np.argsort(np.argsort(-(rows @ rows.T) - 2 * np.eye(total), axis=1), axis=1)
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + np.diag(np.full(total, np.inf))
    near = np.take_along_axis(ranks, np.argsort(apart, axis=1)[:, :many], 1)
    return float(1 - 2 * np.maximum(near - many, 0).sum() / (total * many * (2 * total - 3 * many - 1)))


def test_neighbours_on_the_map_are_neighbours(photos: Floats) -> None:
    rows, total = Kept(photos), len(photos)
    axes = principal(rows, total)
    comparison = Comparison(rows, total, axes)
    neighbours, similar = comparison.nearest(0, total)
    true = np.argsort(-(photos @ photos.T) + 3 * np.eye(total), axis=1)[:, :NEIGHBOURS]
    assert (neighbours[:, :, None] == true[:, None, :]).any(2).mean() > 0.995
    assert (np.diff(similar, axis=1) <= 0).all()
    flat = axes.project(photos, 2)
    layout = Layout(beginning(flat, 1))
    given = edges(neighbours)
    for step in layout.steps(given):
        if step == 200:
            halfway = Layout.of(layout.kept())
    found = trustworthiness(photos, layout.points)
    assert found > 0.9
    assert found > trustworthiness(photos, flat) + 0.1
    # What was kept on the way goes on to the same end.
    list(halfway.steps(given))
    assert np.array_equal(halfway.points, layout.points)


def test_clusters_are_where_points_are_dense() -> None:
    random = np.random.default_rng(3)
    middles = np.array([[0, 0], [50, 0], [0, 60]])
    points = np.concatenate(
        [random.normal(middle, 2, (size, 2)) for middle, size in zip(middles, (300, 200, 100), strict=True)]
    )
    found = clusters(points.astype(np.float32))
    wanted = np.repeat([0, 1, 2], (300, 200, 100))
    assert len(found.summits) >= 3
    sizes = np.bincount(found.of[found.of >= 0])
    assert (np.diff(sizes) <= 0).all()
    for cluster in range(len(found.summits)):
        assert len(set(wanted[found.of == cluster])) == 1  # none reaches over two groups
