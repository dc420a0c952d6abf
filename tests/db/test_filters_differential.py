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
from tests.support.strategies import DOCUMENTS, FILTERS, KEYS

mongomock_matches: Callable[[object, object], object] = filtering.filter_applies
LONG = os.environ.get("LOOKALIKE_LONG_TESTS") == "1"
EXAMPLES = 5000 if LONG else 300


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
