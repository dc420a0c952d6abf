"""Random filters and records: the SQL against mongomock and against a plain matcher of MongoDB's rules."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongomock import OperationFailure, filtering

from tests.db.filters_db import Connection, truths, where_of
from tests.db.filters_mongomock import DISAGREEMENTS, Disagreement, explained
from tests.db.filters_reference import matches

mongomock_matches: Callable[[object, object], object] = filtering.filter_applies
LONG = os.environ.get("LOOKALIKE_LONG_TESTS") == "1"
EXAMPLES = 5000 if LONG else 300

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


@pytest.mark.timeout(600)
def test_random_filters_match_as_in_mongodb(filter_connection: Connection) -> None:
    compared: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=not LONG, suppress_health_check=[HealthCheck.too_slow])
    @given(filter_=FILTERS, documents=st.lists(DOCUMENTS, min_size=8, max_size=8), indexed=st.sets(KEYS))
    def compare(filter_: dict[str, Any], documents: list[dict[str, Any]], indexed: set[str]) -> None:
        found = truths(filter_connection, where_of(filter_, indexed), documents)
        assert found == [matches(document, filter_) for document in documents], "the server's rules say otherwise"
        for document, matched in zip(documents, found, strict=True):
            reason = explained(document, filter_)
            compared[reason or "compared"] += 1
            if reason is None:
                assert mongomock_matches(filter_, document) == matched, f"mongomock says otherwise of {document}"

    compare()
    assert compared["compared"] > sum(compared.values()) / 4, f"the exceptions hide the comparison: {compared}"


@pytest.mark.parametrize("disagreement", [pytest.param(d, id=d.name) for d in DISAGREEMENTS])
def test_a_disagreement_is_real(filter_connection: Connection, disagreement: Disagreement) -> None:
    """Of its example, mongomock says something else than MongoDB, and no other disagreement explains that."""
    document, filter_ = disagreement.document, disagreement.filter
    assert explained(document, filter_) == disagreement.name
    assert truths(filter_connection, where_of(filter_), [document]) == [matches(document, filter_)]
    try:
        answer = bool(mongomock_matches(filter_, document))
    except OperationFailure:
        return
    assert answer is not matches(document, filter_)
