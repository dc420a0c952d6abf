"""OpenTelemetry: spans of requests and statements, without values; no network, and nothing where it is not wanted."""

from typing import Any

import pytest
from flask import Flask

from app.cli import telemetry
from app.db.engine import connect
from app.services.context import Context


def test_it_is_wanted_by_the_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    assert not telemetry.wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert telemetry.wanted()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    assert not telemetry.wanted()


def test_a_request_and_its_statements_are_spans_without_values(app_context: tuple[Any, Context]) -> None:
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="the extra otel is not installed"
    )
    url, exporter = app_context[1].db.url, memory.InMemorySpanExporter()
    follow = telemetry.begin(exporter)
    assert follow is not None
    flask = Flask("traced")

    @flask.get("/search")
    def view() -> str:
        with connect(url) as connection:
            row = connection.execute("SELECT %s::text AS said /*as it is*/", ("hush",)).fetchone()
        assert row is not None
        return str(row["said"])

    flask.add_url_rule("/healthz", "healthz", lambda: "")
    end = follow(flask)
    trace = "0af7651916cd43dd8448eb211c80319c"
    client = flask.test_client()
    assert client.get("/search", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}).text == "hush"
    client.get("/healthz")
    end()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans if span.kind.name == "SERVER"] == ["GET /search"]
    (statement,) = [span for span in spans if "SELECT" in span.name]
    assert f"{statement.context.trace_id:032x}" == trace
    assert "SELECT %s::text AS said /*as it is*/" in statement.attributes.values(), "no comment is added"
    assert "hush" not in str([dict(span.attributes) for span in spans])
    with connect(url) as connection:
        connection.execute("SELECT 1")
    assert len(exporter.get_finished_spans()) == len(spans), "it has ended"
