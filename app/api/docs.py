"""`/openapi.json`, and `/docs`: the same document as a page. No token is needed; nothing is fetched from elsewhere."""

import re
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, jsonify, render_template, request
from markupsafe import Markup, escape

from app.api.docs_page import page
from app.api.openapi import document
from app.version import __version__

_CODE = re.compile(r"`([^`]+)`")
# The page needs its own style sheet and nothing else, so that is all a browser may load for it.
_POLICY = "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'"


def docs(public_url: str | None = None) -> Blueprint:
    """Return the blueprint of the document, its page, and the page's style sheet; links go by the setting."""
    public = urlsplit(public_url.rstrip("/")) if public_url is not None else None

    def root() -> str:
        return request.script_root if public is None else public.path

    def host() -> str:
        return request.host_url.rstrip("/") if public is None else f"{public.scheme}://{public.netloc}"

    made = Blueprint("docs", __name__, template_folder="templates", static_folder="static", static_url_path="/docs")
    made.add_app_template_filter(_prose, "prose")

    @made.get("/")
    def start() -> Response:
        paths = {"docs": "/docs", "openapi": "/openapi.json", "alive": "/healthz", "ready": "/readyz"}
        return jsonify(name="Lookalike", version=__version__, **{name: root() + path for name, path in paths.items()})

    @made.get("/openapi.json")
    def openapi() -> Response:
        return Response(orjson.dumps(document(root())), mimetype="application/json")

    @made.get("/docs", strict_slashes=False)
    def docs_page() -> Response:
        text = render_template("docs.html", page=page(document(root()), host()), root=root())
        return Response(text, headers={"Content-Security-Policy": _POLICY}, mimetype="text/html")

    return made


def _prose(text: str) -> Markup:
    """Return a sentence as HTML: what stands between backticks is code, all else is text."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped right here)
