"""What a product looks like, before it is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from app.demo.canvas import Pose
from app.demo.chance import dice
from app.demo.palette import ACCENTS, COLOURS, Colour
from app.demo.patterns import Paint


@dataclass(frozen=True, slots=True)
class Look:
    """A product's shape, colours and pattern, and how it stands before the camera.

    `shape` names the variant in each respect of its kind (`{"neck": "crew", "sleeve": "short"}`), or a measure.
    """

    seed: str
    shape: Mapping[str, str | float]
    colour: str
    accent: str
    pattern: str
    backdrop: str = "paper"
    pose: Pose = field(default_factory=Pose)

    @property
    def paint(self) -> Paint:
        """The cloth it is made of."""
        return Paint(self.base, COLOURS[self.accent], self.pattern, seed=self.seed)

    @property
    def base(self) -> Colour:
        """Its main colour, as dyed in this batch: each product is a little off."""
        chance = dice("dye", self.seed)
        red, green, blue = (min(250, max(12, value + chance.randint(-7, 7))) for value in COLOURS[self.colour])
        return red, green, blue

    @property
    def trim(self) -> Colour:
        """The colour of what is sewn or screwed on."""
        return COLOURS[self.accent if self.pattern != "plain" else ACCENTS[self.colour][0]]

    def has(self, respect: str, *variants: str) -> bool:
        """Whether it is of one of these variants."""
        return self.shape[respect] in variants

    def measure(self, respect: str) -> float:
        """Return one of its measures."""
        return float(self.shape[respect])

    def chance(self, purpose: str) -> Random:
        """Return dice for a detail; the same product throws the same."""
        return dice(self.seed, purpose)
