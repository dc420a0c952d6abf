"""Chance that falls the same way on every machine."""

from random import Random
from typing import NamedTuple


class Span(NamedTuple):
    """A range to pick a number from."""

    low: float
    high: float


def dice(*seed: object) -> Random:
    """Return the dice for one purpose: the same seed gives the same throws, whatever else was thrown before."""
    return Random(":".join(map(str, seed)))  # noqa: S311  drawings need to repeat, not to be unguessable
