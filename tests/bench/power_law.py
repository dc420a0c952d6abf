"""How a figure grows with the number of records: a power law through what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A fit that is farther off than this says nothing about other sizes.
HOLDS = 0.5


@dataclass(frozen=True, slots=True)
class Power:
    """factor * n ** exponent; `off` is the largest deviation of a measured value, as a share of the fitted one."""

    factor: float
    exponent: float
    off: float

    @property
    def holds(self) -> bool:
        """Whether the law is near enough to what was measured to say anything beyond it."""
        return self.off <= HOLDS

    def at(self, number: float) -> float:
        """Return the figure that is expected at so many records."""
        return float(self.factor * number**self.exponent)


def power(numbers: Sequence[float], values: Sequence[float]) -> Power:
    """Fit by least squares of the logarithms: each size counts alike, whatever its values.

    Raises:
        ValueError: fewer than two different sizes, or a value that is not positive.

    """
    if len(set(numbers)) < 2:
        raise ValueError("a power law needs at least two sizes")
    if min(*numbers, *values) <= 0:
        raise ValueError("a power law is fitted to positive values only")
    exponent, log_factor = np.polyfit(np.log(numbers), np.log(values), 1)
    factor = float(np.exp(log_factor))
    fitted = factor * np.asarray(numbers, float) ** exponent
    return Power(factor, float(exponent), float(np.max(np.abs(np.asarray(values) / fitted - 1))))
