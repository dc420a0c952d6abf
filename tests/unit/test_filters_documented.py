"""The operator table, its cases, its documentation and its snapshot say the same."""

from collections import Counter
from pathlib import Path

import pytest

from app.filters import OPERATORS, parse_filter, snapshots
from tests.cases.filtercase import SHAPES
from tests.cases.filters import CASES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", list(OPERATORS))
def test_each_operator_has_a_case_of_each_hard_part(name: str) -> None:
    shapes = [case.shape for case in CASES if case.operator == name]
    assert len(shapes) >= 6
    assert set(SHAPES) <= set(shapes)


def test_the_case_table_is_large_and_its_ids_are_unique() -> None:
    assert len(CASES) >= 300
    assert [id_ for id_, times in Counter(case.id for case in CASES).items() if times > 1] == []
    assert {case.operator for case in CASES} == OPERATORS.keys()


def test_the_documentation_holds_the_table_of_operators() -> None:
    document = (ROOT / "docs" / "filters.md").read_text()
    assert snapshots.table() in document, "paste the output of app.filters.snapshots.table() into docs/filters.md"


@pytest.mark.parametrize("name", list(OPERATORS))
def test_each_operator_has_a_row_with_an_example_of_it(name: str) -> None:
    row = OPERATORS[name]
    assert f"| `{name}` | " in (ROOT / "docs" / "filters.md").read_text()
    assert f'"{name}"' in str(row.example).replace("'", '"')
    assert parse_filter(row.example)


def test_the_snapshot_is_what_the_program_sends() -> None:
    stored = (ROOT / "sql" / "snapshots" / "filters.sql").read_text()
    assert stored == snapshots.render(), "run `lookalike sql sync`"
