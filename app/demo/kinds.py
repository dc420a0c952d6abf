"""All kinds of products, in the order in which they are dealt: clothes, things to go with them, things for the home."""

from itertools import chain, zip_longest

from app.demo.clothing import CLOTHING
from app.demo.homeware import HOMEWARE
from app.demo.kind import Kind
from app.demo.wearables import WEARABLES

KINDS: tuple[Kind, ...] = tuple(
    kind for kind in chain.from_iterable(zip_longest(CLOTHING, WEARABLES, HOMEWARE)) if kind is not None
)
