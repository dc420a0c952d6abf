"""Every case of the table through a real database: read row by row, through the index, and as its complement."""


import pytest

from tests.cases.filters import CASES, FilterCase
from tests.db.filters_db import Connection, truths, where_of

BY_ID = [pytest.param(case, id=case.id) for case in CASES]


@pytest.mark.parametrize("case", BY_ID)
def test_case_matches_what_it_says(filter_connection: Connection, case: FilterCase) -> None:
    found = truths(filter_connection, where_of(case.filter), case.documents)
    assert found == [position in case.expected for position in range(len(case.documents))], case.msg
