"""`/healthz`: the process answers. `/readyz`: it can serve."""

from flask import Blueprint, Response, jsonify

from app.services.context import Context
from app.services.readiness import not_ready

PATHS = ("/healthz", "/readyz", "/metrics")
"""Paths that are answered however busy the server is."""


def health(context: Context) -> Blueprint:
    """Return the blueprint of the two paths, which need no token."""
    made = Blueprint("health", __name__)

    @made.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @made.get("/readyz")
    def readyz() -> tuple[Response, int]:
        reason = not_ready(context)
        if reason is not None:
            return jsonify(status="not ready", reason=reason), 503
        return jsonify(status="ready"), 200

    return made
