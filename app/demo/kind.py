"""What a kind of product is: how it is drawn, in which variants, colours and patterns, at what price."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.demo.canvas import Canvas
from app.demo.chance import Span
from app.demo.look import Look
from app.demo.studio import Ground

# Colours in which kinds of products are made: those of the first half are the ones that sell.
WEAR = "navy white red green mustard black pink sky grey beige burgundy teal blue purple orange olive"
SHOES = "white black red navy brown teal beige pink mustard grey olive"
LEATHER_DYES = "black brown burgundy beige red navy green pink mustard grey"
HOME = "white teal mustard navy green pink orange grey beige black sky red"
SOFT = "grey teal mustard navy green beige pink burgundy blue olive orange"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of product.

    `shape`, `colours`, `patterns` and `materials` are what to choose from, in words; a word that stands there twice is
    twice as likely. `noun` is for names, `sizes` a row of `facts.SIZES`, `zoom` fills the picture with the product,
    and `ground` says where it touches the floor (by its `form` where that differs), None where it lies flat.
    """

    name: str
    noun: str
    department: str
    draw: Callable[[Canvas, Look], None]
    shape: Mapping[str, str | Span]
    colours: str
    patterns: str
    materials: str
    price: Span
    sizes: str
    zoom: float = 1
    ground: Ground | Mapping[str, Ground | None] | None = None

    def ground_of(self, look: Look) -> Ground | None:
        """Return where a product of this kind touches the floor."""
        return self.ground[str(look.shape["form"])] if isinstance(self.ground, Mapping) else self.ground
