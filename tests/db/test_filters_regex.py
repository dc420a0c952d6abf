"""Translated regular expressions against Python's `re`, where the two dialects mean the same."""

import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.db.filters_db import Connection, truths, where_of
from tests.support.strategies import PATTERNS

LONG = os.environ.get("LOOKALIKE_LONG_TESTS") == "1"

TEXTS = st.lists(
    st.text("abAB1_ .$\n-]é", min_size=1, max_size=6), min_size=8, max_size=8
)  # in Python, \\B is not in an empty one
OPTIONS = st.sampled_from(["", "s", "i", "is"])  # m differs: in Python a line begins after a final newline


@pytest.mark.timeout(600)
@settings(
    max_examples=5000 if LONG else 200,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pattern=PATTERNS, texts=TEXTS, options=OPTIONS)
def test_patterns_match_the_same_strings(
    filter_connection: Connection, pattern: str, texts: list[str], options: str
) -> None:
    flags = (re.DOTALL if "s" in options else 0) | (re.IGNORECASE if "i" in options else 0)
    if pattern.count("?P<n>") > 1 or ("i" in options and not (pattern + "".join(texts)).isascii()):
        return  # a name may be given once; PostgreSQL knows more pairs of cases than ASCII's
    expected = [re.search(pattern, text, flags | re.ASCII) is not None for text in texts]
    where = where_of({"a": {"$regex": pattern, "$options": options}})
    assert truths(filter_connection, where, [{"a": text} for text in texts]) == expected
