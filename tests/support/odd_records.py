"""Records with attributes of all shapes, and random filters and facets over them."""

import random
from typing import Any

from hypothesis import strategies as st

Json = Any
BRANDS = ["Aria", "Arlo", "Beck", "Cole", "ärla", "AR", 'a"b', "", 1, 1.0, "1", True, None]
TAGS = ["red", "reed", "blue", "wool", 5, 5.0, "5", None, ["red"], {"a": 1}]


def odd(dice: random.Random) -> dict[str, Json]:
    """Return attributes of all shapes: scalars of every type, lists with repeats, nulls, lists of objects."""
    made: dict[str, Json] = {}
    if dice.random() < 0.9:
        made["brand"] = dice.choice(BRANDS)
    if dice.random() < 0.9:
        made["tags"] = dice.choice(
            [[], [None], dice.choices(TAGS, k=dice.randrange(1, 5)), dice.choice(TAGS), dice.choices(TAGS, k=2)]
        )
    if dice.random() < 0.95:
        number = round(dice.uniform(-20, 120), dice.choice([0, 1, 2]))
        made["price"] = dice.choice([number, number, number, int(number), [number, 3, 200], str(number), None])
    part = {"size": dice.choice(["S", "M", "L", None, ["S", "XL"], 38])}
    made["deep"] = dice.choice([part, part, [part, {"size": "M"}], [], "none", [[part]], {}])
    return made


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "brand": st.sampled_from(["Aria", {"$in": ["Aria", "Beck", 1]}, {"$ne": "Cole"}, None, {"$exists": True}]),
        "tags": st.sampled_from(["red", {"$all": ["red", "blue"]}, {"$in": ["wool", 5]}, {"$nin": ["red"]}]),
        "price": st.sampled_from([{"$gte": 0, "$lt": 50}, {"$lt": 20}, {"$gte": 100.5}, 3]),
        "deep.size": st.sampled_from(["S", {"$in": ["M", 38]}]),
    },
)
FIELDS = st.sampled_from(["brand", "tags", "price", "deep.size", "nowhere"])
SINGLE = st.fixed_dictionaries(
    {"field": FIELDS},
    optional={
        "limit": st.integers(1, 12),
        "min_count": st.integers(1, 400),
        "prefix": st.sampled_from(["", "re", "A", "ä", "1"]),
        "exclude_own": st.booleans(),
    },
)
