"""Random filters, documents and patterns for Hypothesis."""

from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c", "0", "1"])


SCALARS = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, 2, -1, 5, 2**53 + 1, 10**20, 1.5, -7.5, 2.0, "", "a", "b", "ab", "5", "é"]
    ),
    st.integers(-3, 12),
    st.text("ab é", max_size=3),
    st.floats(-10, 10, allow_nan=False, width=16),
)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2)),
    max_leaves=5,
)


DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


PATHS = st.lists(KEYS, min_size=1, max_size=3).map(".".join)


PLAIN_BOUNDS = SCALARS


LEAVES = [
    ("$eq", VALUES),
    ("$ne", VALUES),
    *((name, PLAIN_BOUNDS) for name in ("$gt", "$gte", "$lt", "$lte")),
    *((name, st.lists(VALUES, max_size=3)) for name in ("$in", "$nin", "$all")),
    ("$all", st.lists(SCALARS, min_size=1, max_size=2)),
    ("$in", st.lists(SCALARS, min_size=11, max_size=15)),
    ("$exists", st.booleans()),
    ("$type", st.sampled_from(["string", "number", "object", "array", "bool", "int", "long", "double"])),
    ("$size", st.integers(0, 3)),
]


REGEXES = st.fixed_dictionaries(
    {"$regex": st.sampled_from(["a", "^a", "b$", "^$", "a.*b", "[^a]", "A", "(a|b) "])},
    optional={"$options": st.sampled_from(["i", "s", ""])},
)


SIMPLE = st.one_of(REGEXES, *(st.fixed_dictionaries({name: operands}) for name, operands in LEAVES))


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        if not part.keys() & merged.keys():
            merged |= part
    return merged


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Operators made of operators. (What `$elemMatch` asks of documents is built of one field here.)"""
    of_documents = st.dictionaries(PATHS, st.one_of(inner, VALUES), min_size=1, max_size=2)
    return st.one_of(
        st.fixed_dictionaries({"$not": inner}),
        st.fixed_dictionaries({"$elemMatch": st.one_of(inner, of_documents)}),
        st.lists(inner, min_size=2, max_size=2).map(_merged),
        st.fixed_dictionaries({"$not": SIMPLE}),
        st.fixed_dictionaries({"$all": st.lists(st.fixed_dictionaries({"$elemMatch": inner}), min_size=1, max_size=2)}),
    )


OPERATORS = st.recursive(SIMPLE, _nested, max_leaves=3)


LOGIC = st.sampled_from(["$and", "$or", "$nor"])


FIELDS = st.dictionaries(PATHS, st.one_of(OPERATORS, VALUES), min_size=1, max_size=2)


FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.one_of(
        st.builds(lambda name, parts: {name: parts}, LOGIC, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda a, b: {**a, "$or": [b]}, FIELDS, inner),
    ),
    max_leaves=3,
)  # fmt: skip


_ATOMS = st.sampled_from(
    ["a", "b", "A", "1", "_", " ", ".", "\\w", "\\W", "\\d", "\\D", "\\s", "\\S", "\\b", "\\B", "^", "$", "\\.", "\\$",
     "[ab]", "[^ab]", "[a-z]", "[\\w-]", "[^\\W_]", "[\\s\\S]", "[^\\d\\n]", "\\n", "é", "\\-", "[]a]", "[^]a]", "-",
     "]"]
)  # fmt: skip


_QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?"])


_UNREPEATABLE = ("\\b", "\\B", "^", "$")


def _quantified(atom: str, quantifier: str) -> str:
    return atom if atom in _UNREPEATABLE else atom + quantifier


_PIECES = st.builds(_quantified, _ATOMS, _QUANTIFIERS)


_GROUPS = st.sampled_from(["({}){}", "(?:{}){}", "(?P<n>{}){}", "(?={})", "(?!{})"])


PATTERNS = st.recursive(
    st.lists(_PIECES, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.builds(lambda form, body, end: form.replace("{}", body, 1).replace("{}", end), _GROUPS, inner, _QUANTIFIERS),
    ),
    max_leaves=4,
)
