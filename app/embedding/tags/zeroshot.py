"""Tags without training: a text-image model says which of some sentences fit a picture.

As Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), section 3.1.4: the
direction of a label is the mean of the unit vectors of its sentences (a prompt ensemble), made a unit vector again.
Its score is the cosine with the picture, scaled as the model was trained: a softmax over the labels of a group (CLIP,
fig. 3), or a sigmoid of each (Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023, eq. 1).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.embedding.models.base import TextScoring, normalised
from app.embedding.tags.taxonomy import Group, Taxonomy

_AT_A_TIME = 8  # sentences of one turn of the model, so that pictures that come meanwhile wait for one turn only

Directions = tuple[NDArray[np.float32], ...]


class Tag(NamedTuple):
    """A tag of a picture: its group, and the probability in which the model holds it."""

    name: str
    group: str
    probability: float


def directions_of(taxonomy: Taxonomy, embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> Directions:
    """Return for each group (labels, dimensions) float32 rows of unit length; `embed` gives those of sentences."""
    prompts = list(dict.fromkeys(taxonomy.all_prompts()))
    rows: list[NDArray[np.float32]] = []
    for start in range(0, len(prompts), _AT_A_TIME):
        rows += list(embed(prompts[start : start + _AT_A_TIME]))
    by_prompt = dict(zip(prompts, rows, strict=True))
    return tuple(
        normalised(
            np.stack(
                [
                    np.mean([by_prompt[prompt] for prompt in taxonomy.prompts(group, label)], axis=0)
                    for label in group.labels
                ]
            )
        )
        for group in taxonomy.groups
    )


def probabilities(
    scoring: TextScoring, directions: NDArray[np.float32], embedding: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the probability of each label of a group, 0 to 1; by softmax they add up to 1."""
    # Not `@`: BLAS would start threads of its own.
    cosines = np.einsum("ld,d->l", directions.astype(np.float64), embedding.astype(np.float64))
    logits = scoring.scale * cosines + scoring.bias
    if scoring.sigmoid:
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))  # the sigmoid, without overflow
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def tags_of(
    taxonomy: Taxonomy, directions: Directions, scoring: TextScoring, embedding: NDArray[np.float32]
) -> list[Tag]:
    """Return the tags of a picture, group by group, the most probable first."""
    found: list[Tag] = []
    for group, rows in zip(taxonomy.groups, directions, strict=True):
        if group.when is None or any(tag.name in group.when for tag in found):
            found += _chosen(group, scoring, probabilities(scoring, rows, embedding))
    return found


def _chosen(group: Group, scoring: TextScoring, values: NDArray[np.float64]) -> Sequence[Tag]:
    least = group.thresholds.sigmoid if scoring.sigmoid else group.thresholds.softmax
    order = np.argsort(-values, kind="stable")[: 1 if group.choose == "one" else None]
    return [Tag(group.labels[place].tag, group.name, float(values[place])) for place in order if values[place] >= least]
