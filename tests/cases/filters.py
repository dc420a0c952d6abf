"""Filters and what they match, as data: the meaning of MongoDB's language, one case a row.

Every case runs the whole way through a database, and so does its complement.
"""

from tests.cases.filtercase import FilterCase
from tests.cases.filters_arrays import ELEM_MATCH, EXISTS, SIZE, TYPE
from tests.cases.filters_equality import EQUAL, NOT_EQUAL
from tests.cases.filters_lists import ALL, IN
from tests.cases.filters_logic import LOGIC, OPERATOR_FIRST
from tests.cases.filters_paths import ID, PATHS
from tests.cases.filters_ranges import MOD, RANGES
from tests.cases.filters_regex import REGEX

CASES: tuple[FilterCase, ...] = (
    *EQUAL, *NOT_EQUAL, *PATHS, *ID, *RANGES, *MOD, *IN, *ALL, *LOGIC, *OPERATOR_FIRST, *EXISTS, *TYPE, *SIZE,
    *ELEM_MATCH, *REGEX,
)  # fmt: skip
