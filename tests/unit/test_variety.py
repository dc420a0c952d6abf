"""Maximal marginal relevance, however the products of the vectors are computed."""

import numpy as np
import pytest

from app.search import variety


@pytest.mark.parametrize("worth_threads", [0, 10**9])
@pytest.mark.parametrize("wanted", [1, 3, 60])
@pytest.mark.parametrize("diversity", [0.0, 0.4, 1.0])
def test_each_next_record_is_the_best_of_those_left(
    monkeypatch: pytest.MonkeyPatch, worth_threads: int, wanted: int, diversity: float
) -> None:
    monkeypatch.setattr(variety, "_WORTH_THREADS", worth_threads)
    random = np.random.default_rng(4)
    vectors = random.normal(size=(60, 8)).astype(np.float32)
    vectors[7] = vectors[3]
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    distances = np.sort(random.random(60))
    chosen = [0]
    while len(chosen) < wanted:
        scores = {
            place: (1 - diversity) * (1 - distances[place])
            - diversity * max(round(float(unit[place] @ unit[other]), 6) for other in chosen)
            for place in range(60)
            if place not in chosen
        }
        chosen.append(max(scores, key=lambda place: (round(scores[place], 9), -place)))
    assert variety.most_varied(vectors, distances, diversity, wanted) == chosen
