"""OpenTelemetry: a span for each request and for each statement, where the extra is installed and wanted.

What it does is set by the variables of OpenTelemetry's own specification, as OTEL_EXPORTER_OTLP_ENDPOINT.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from app.api.health import PATHS

log = logging.getLogger(__name__)

_WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted() -> bool:
    """Say whether the environment names a place for spans, and does not switch all of it off."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(os.environ.get(name) for name in _WANTED)


def begin(exporter: Any = None) -> Callable[[Any], Callable[[], None]] | None:
    """Begin to trace statements; call the result with the application, and what that returns at the end.

    In the process that serves, after the fork: the exporter has a thread. Before the first connection is made: only
    later ones are traced. Spans hold the text of statements with their placeholders, never values, and statements get
    no comments: PostgreSQL would have to plan each anew.

    Args:
        exporter: where spans go; None: by OTLP over HTTP, as the environment says.

    Returns:
        None where the extra is not installed.

    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.instrumentation.flask import FlaskInstrumentor  # noqa: PLC0415
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError:
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, and nothing is sent: pip install 'lookalike[otel]'")
        return None
    name = os.environ.get("OTEL_SERVICE_NAME", "lookalike")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    statements = PsycopgInstrumentor()
    statements.instrument(tracer_provider=provider, enable_commenter=False, capture_parameters=False)

    def follow(application: Any) -> Callable[[], None]:
        excluded = ",".join(f"{path}$" for path in sorted(PATHS))
        FlaskInstrumentor.instrument_app(application, tracer_provider=provider, excluded_urls=excluded)

        def end() -> None:
            statements.uninstrument()
            provider.shutdown()

        return end

    return follow
