"""A line of the log for each request: what, for whom, with what outcome; nothing secret, nothing of the data."""

import logging
from typing import Any

import orjson
import pytest

from app.api.tracing import trace_of
from app.cli.logs import JsonLines
from tests.api.conftest import Api, picture

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines of requests, as they are written."""
    caplog.set_level(logging.INFO, "lookalike.request")
    form = JsonLines()
    return lambda: [orjson.loads(form.format(one)) for one in caplog.records if one.name == "lookalike.request"]


def test_a_request_is_one_line(api: Api, lines: Any) -> None:
    api.post("insert", {"records": [{"_id": "id-of-it", "_base64": picture(1), "secret": "hush"}]}, code=210)
    api.call(
        "visualKNN",
        {"query_record": {"_id": "id-of-it"}, "filter": {"secret": "hush"}},
        X_Request_ID="one-1",
        traceparent=PARENT,
    )
    api.post("visualKNN", {"query_record": {"_id": "id-of-it"}, "k": -1}, code=402)
    inserted, found, refused = lines()
    assert (inserted["method"], inserted["status"], inserted["code"]) == ("insert", 200, 210)
    assert (found["request_id"], found["trace_id"], len(found["span_id"])) == ("one-1", TRACE, 16)
    assert (found["way"], found["results"], found["collection"], found["service"]) == (
        "exact",
        1,
        api.collection,
        "photo",
    )
    assert found["token_id"] > 0
    assert found["milliseconds"] > 0
    assert (refused["code"], "trace_id" in refused, "way" in refused) == (402, False, False)
    text = str(lines())
    assert not any(word in text for word in ("hush", "id-of-it", api.token, picture(1)[:40]))


def test_health_checks_are_no_news(api: Api, lines: Any) -> None:
    api.client.get("/healthz")
    api.client.get("/metrics")
    assert lines() == []


def test_the_trace_goes_on_in_the_answer(api: Api) -> None:
    answer = api.call("getRecordCount", {}, traceparent=PARENT)
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != "b7ad6b7169203331"
    assert "traceparent" not in api.call("getRecordCount", {}).headers


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"{PARENT}-more",
        PARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331",
    ],
)
def test_what_is_no_trace_is_left_aside(given: str) -> None:
    assert trace_of(given) is None


def test_a_later_version_of_the_header_is_read() -> None:
    found = trace_of(f"01-{TRACE}-b7ad6b7169203331-00-what-comes-later")
    assert found is not None
    assert found.trace_id == TRACE


def test_an_error_has_its_trace_of_python_on_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "it %s", ("failed",), __import__("sys").exc_info())
    line = JsonLines().format(record)
    told = orjson.loads(line)
    assert "\n" not in line
    assert (told["level"], told["message"]) == ("error", "it failed")
    assert "ValueError" in told["exception"]
