"""Slow searches have a line in the log: how they were done and planned, and nothing of what was asked."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.cli.logs import JsonLines
from app.db.search import slow
from app.domain.searches import Entry
from app.services.slowsearches import SlowSearches
from tests.api.conftest import Api


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    form = JsonLines()
    return lambda: [orjson.loads(form.format(one)) for one in caplog.records if one.name == "lookalike.slow"]


def entry(milliseconds: float = 5_000.0, **given: Any) -> Entry:
    facts = {"request_id": "one-1", "compared": 3, **given}
    return Entry(datetime.now(UTC), 7, 3, "visualKNN", "hush", {"n": "hush"}, 10, 2, milliseconds, "exact", **facts)


def test_a_slow_search_is_one_line_with_its_plan_and_no_values(api: Api, lines: Any) -> None:
    api.fill(3)
    log = SlowSearches(api.context.db, 1.0)
    filter_ = {"n": {"$gt": 4711}, "secret": "hush"}
    api.post("visualKNN", {"query_record": {"_id": "1"}, "filter": filter_}, code=200)
    log.searched(entry())
    log.searched(entry(999.0))
    assert lines() == [], "the request does not wait for the plan"
    log.flush()
    (line,) = lines()
    assert (line["level"], line["request_id"], line["way"], line["seconds"], line["compared"]) == (
        *("warning", "one-1", "exact", 5.0),
        3,
    )
    assert 0 < line["statement_seconds"] < 5
    steps = [line["plan"]]
    for step in steps:
        assert set(step) <= {"step", "index", "table", "function", "rows", "cost", "of"}
        steps += step.get("of", ())
    assert any(step.get("table", "").startswith("records") for step in steps)
    assert not any(word in str(line) for word in ("hush", "4711", "secret", "$gt"))


def test_there_is_one_in_ten_seconds_and_the_next_counts_the_others(api: Api, lines: Any) -> None:
    clock = Clock()
    log = SlowSearches(api.context.db, 1.0, clock)
    for at in (0, 1, 9.9, 10, 10.1, 30):
        clock.now = at
        log.searched(entry())
    log.flush()
    assert [line.get("left_out") for line in lines()] == [None, 2, 1]


def test_the_statement_is_one_of_this_search(api: Api, lines: Any) -> None:
    api.fill(2)
    api.post("visualKNN", {"query_record": {"_id": "1"}}, code=200)
    assert slow.slowest(60) is not None
    assert slow.slowest(0) is None, "it ended before"
    api.post("visualKNN", {"query_record": {"_id": "nobody"}}, code=403)
    log = SlowSearches(api.context.db, 0.001)
    slow.begin()
    log.searched(entry())
    log.flush()
    (line,) = lines()
    assert "plan" not in line


def test_a_server_has_it_by_default(api: Api) -> None:
    assert [type(one) for one in api.context.observers].count(SlowSearches) == 1
