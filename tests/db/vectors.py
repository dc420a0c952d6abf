"""Vectors for tests that need many and no model: clustered, unit length, as embeddings of photos are."""

import numpy as np
from numpy.typing import NDArray


def random_vectors(count: int, dimensions: int, seed: int = 0, clusters: int = 200) -> NDArray[np.float32]:
    """Return (count, dimensions) float32 unit vectors around cluster centres of a low-dimensional subspace."""
    generator = np.random.default_rng(seed)
    latent = min(24, dimensions)
    basis = np.random.default_rng(1).normal(size=(latent, dimensions))
    centres = np.random.default_rng(2).normal(size=(clusters, latent))
    points = centres[generator.integers(0, clusters, count)] + 0.5 * generator.normal(size=(count, latent))
    found = points @ basis + 0.05 * generator.normal(size=(count, dimensions))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)
