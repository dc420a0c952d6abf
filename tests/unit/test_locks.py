"""Advisory locks share one space of numbers, so each number has its name in `app.db.locks` and stands nowhere else."""

import re
from pathlib import Path

from app.db import locks

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = {name: value for name, value in vars(locks).items() if isinstance(value, int) and name.isupper()}
NUMBER = re.compile(r"\b(" + "|".join("_?".join(str(value)) for value in NUMBERS.values()) + r")\b")
# A number where a lock is asked for.
ASKED_FOR = re.compile(r"advisory\w*lock\w*\(\s*(\d[\d_]*)")


def files(folder: str, kind: str) -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / folder).rglob(f"*.{kind}")}


def test_each_number_is_one_lock() -> None:
    assert len(NUMBERS) >= 5
    assert len(set(NUMBERS.values())) == len(NUMBERS)


def test_no_other_file_of_python_has_a_number_of_a_lock() -> None:
    program = files("app", "py") | files("migrations", "py")
    assert {name for name, text in program.items() if ASKED_FOR.search(text)} == set()
    assert {name for name, text in (program | files("tests", "py")).items() if NUMBER.search(text)} == {
        "app/db/locks.py"
    }


def test_functions_in_sql_take_locks_that_have_a_name() -> None:
    """SQL has no names for numbers, so it has the number itself."""
    asked = {int(number) for text in files("sql", "sql").values() for number in ASKED_FOR.findall(text)}
    assert asked <= set(NUMBERS.values())


def test_the_numbers_are_found_however_they_are_written() -> None:
    for value in NUMBERS.values():
        assert NUMBER.search(f"x = {value}")
        assert NUMBER.search(f"x = {value:_}")
        assert not NUMBER.search(f"x = {value}1")
    assert ASKED_FOR.findall("SELECT pg_advisory_xact_lock" + "( 7, 8)") == ["7"]
