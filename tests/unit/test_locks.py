"""Advisory locks share one space of numbers, so each number has its name in `app.db.locks` and stands nowhere else."""

import re
from pathlib import Path

from app.db import locks

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = {name: value for name, value in vars(locks).items() if isinstance(value, int) and name.isupper()}
# A number, or a literal where a lock is asked for.
ELSEWHERE = re.compile(
    r"\b(" + "|".join("_?".join(str(value)) for value in NUMBERS.values()) + r")\b|advisory\w*lock\w*\(\s*\d"
)


def test_each_number_is_one_lock() -> None:
    assert len(set(NUMBERS.values())) == len(NUMBERS) == 5


def test_no_other_file_has_a_number_of_a_lock() -> None:
    files = [path for name in ("app", "migrations", "sql", "tests") for path in (ROOT / name).rglob("*.*")]
    files = [path for path in files if path.suffix in {".py", ".sql"}]
    found = {str(path.relative_to(ROOT)) for path in files if ELSEWHERE.search(path.read_text("utf-8", "replace"))}
    assert found == {"app/db/locks.py"}


def test_the_numbers_are_found_however_they_are_written() -> None:
    for value in NUMBERS.values():
        assert ELSEWHERE.search(f"x = {value}")
        assert ELSEWHERE.search(f"x = {value:_}")
        assert not ELSEWHERE.search(f"x = {value}1")
    assert ELSEWHERE.search("SELECT pg_advisory_xact_lock" + "(7)")
