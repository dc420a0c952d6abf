"""A small taxonomy, and its tags computed step by step, as the method is written down."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.embedding.tags.taxonomy import Taxonomy
from tests.textmodels import ByHand

TAXONOMY = """
templates = ["a photo of {}.", "a close up photo of {}"]

[[groups]]
name = "kind"
choose = "one"
thresholds = { softmax = 0.4, sigmoid = 0.1 }
labels = ["dress", { tag = "shoe", words = ["a shoe", "leather shoe"] }]

[[groups]]
name = "colour"
choose = "any"
thresholds = { softmax = 0.3, sigmoid = 0.3 }
templates = ["a {} dress", "{}", "{} shoe"]
labels = ["red", "blue", "plain"]

[[groups]]
name = "sleeves"
choose = "one"
thresholds = { softmax = 0.0, sigmoid = 0.0 }
when = ["dress"]
labels = ["long sleeves", "short sleeves"]
"""


def tags_by_hand(hand: ByHand, taxonomy: Taxonomy, picture: NDArray[np.float64]) -> list[tuple[str, float]]:
    """Return the tags of a picture's unit row, with their probabilities."""
    found: list[tuple[str, float]] = []
    for group in taxonomy.groups:
        if group.when is not None and not {name for name, _ in found} & set(group.when):
            continue
        templates = group.templates or taxonomy.templates
        values = _probabilities(hand, picture, [_direction(hand, label.words, templates) for label in group.labels])
        named = sorted(zip(values, [label.tag for label in group.labels], strict=True), reverse=True)
        least = group.thresholds.sigmoid if hand.family == "siglip" else group.thresholds.softmax
        kept = named[:1] if group.choose == "one" else named
        found += [(name, float(value)) for value, name in kept if value >= least]
    return found


def _direction(hand: ByHand, words: list[str], templates: list[str]) -> NDArray[np.float64]:
    total: Any = sum(hand.texts(template.format(one))[0] for one in words for template in templates)
    return np.asarray(total / np.linalg.norm(total))


def _probabilities(
    hand: ByHand, picture: NDArray[np.float64], directions: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    logits = hand.logits(picture, np.stack(directions))
    if hand.family == "siglip":
        return np.asarray(1 / (1 + np.exp(-logits)))
    return np.asarray(np.exp(logits) / np.exp(logits).sum())
