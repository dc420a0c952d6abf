"""The blueprint of the console: signing in and out, static files, the screens of the table, and pages of errors."""

import uuid
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, abort, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Response as AnyResponse

from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound, LookalikeError, Unauthorized
from app.domain.tokens import Principal, Scope
from app.services import overview
from app.services.context import Context
from app.ui import session
from app.ui.assets import assets, version
from app.ui.page import Page
from app.ui.screens import SCREENS, Screen

# Scripts, styles and pictures of this server alone; `blob:` and `data:` are pictures that the browser made itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOR_GOOD = "public, max-age=31536000, immutable"


class _Console:
    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def root(self) -> str:
        public = self._context.settings.public_url
        return str(request.script_root) if public is None else urlsplit(public.rstrip("/")).path

    def start(self) -> AnyResponse:
        """Lead to the first screen."""
        session.principal(self._context)
        return redirect(f"{self.root}/console/{SCREENS[0].name}")

    def screen(self, screen: Screen) -> Callable[[], str]:
        """Return what answers one screen."""

        def view() -> str:
            principal = session.principal(self._context)
            screen.check(principal)
            names = overview.names(self._context, principal)
            collection = self._chosen(principal, names) if screen.collection else None
            page = Page(principal, names, collection, request.args.to_dict(), self.root)
            shown = screen.view(self._context, page)
            return self._rendered(f"console/{screen.name}.html", screen=screen, page=page, **shown)

        return view

    def sign_in_page(self) -> str:
        """Ask for a token. A link with the token after `#` signs in by itself: no server and no log sees that part."""
        return self._sign_in("")

    def sign_in(self) -> AnyResponse | tuple[str, int]:
        """Begin a session."""
        session.check_origin(self._context)
        token = request.form.get("token", "").strip()
        if not token or self._context.lookup.principal(token) is None:
            return self._sign_in("This token is not known, was revoked or has expired."), 401
        onwards = session.target(request.form.get("next", ""), self.root)
        return session.begin(self._context, redirect(onwards, 303), token, self.root)

    def sign_out(self) -> AnyResponse:
        """End a session."""
        session.check_origin(self._context)
        return session.end(redirect(f"{self.root}/console/sign-in", 303), self.root)

    def static(self, hash_: str, name: str) -> Response:
        """Send a file, compressed where the browser takes that; for good, as its path names its content."""
        asset = assets().get(name)
        if asset is None:
            abort(404)
        answer = Response(asset.data, content_type=asset.media_type)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            answer.data = asset.small
            answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
        answer.headers["Cache-Control"] = _FOR_GOOD if hash_ == version() else "no-cache"
        return answer

    def failed(self, error: LookalikeError) -> AnyResponse:
        """Show an error as a page; who is not signed in is asked to, and comes back."""
        if isinstance(error, Unauthorized):
            here = request.full_path.rstrip("?") if request.method == "GET" else ""
            asked = f"?{urlencode({'next': self.root + here})}" if here else ""
            return session.end(redirect(f"{self.root}/console/sign-in{asked}"), self.root)
        page, status = self._error(error.status.code, error.status.http, str(error))
        answer = Response(page, status)
        if error.retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(error.retry_after_seconds)
        return answer

    def failed_http(self, error: HTTPException) -> tuple[str, int]:
        """Show an error of HTTP itself as a page."""
        return self._error(error.code or 500, error.code or 500, error.description or error.name)

    def _chosen(self, principal: Principal, names: list[str]) -> Collection | None:
        name = request.args.get("c") or (names[0] if names else None)
        if name is None:
            return None
        found = self._context.lookup.collection(name)
        if principal.collections is not None and found.id not in principal.collections:
            raise CollectionNotFound(f"there is no collection {name!r} that your token may use")
        return found

    def _sign_in(self, wrong: str) -> str:
        wanted = request.values.get("next", "")
        return self._rendered("console/sign-in.html", wrong=wrong, next=session.target(wanted, self.root))

    def _error(self, code: int, http: int, sentence: str) -> tuple[str, int]:
        request_id = g.get("request_id") or uuid.uuid4().hex
        return self._rendered("console/error.html", code=code, sentence=sentence, request_id=request_id), http

    def _rendered(self, template: str, **given: object) -> str:
        principal: Principal | None = g.get("principal")
        held = frozenset[Scope]() if principal is None else principal.allowed
        return render_template(
            template,
            root=self.root,
            assets=f"{self.root}/console/static/{version()}",
            screens=[one for one in SCREENS if principal is not None and one.open_to(principal)],
            scopes={scope.value for scope in held},
            **given,
        )


def console(context: Context) -> Blueprint:
    """Return the blueprint of the console."""
    views = _Console(context)
    made = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    made.add_url_rule("/", "start", views.start, methods=["GET"], strict_slashes=False)
    made.add_url_rule("/sign-in", "sign_in_page", views.sign_in_page, methods=["GET"])
    made.add_url_rule("/sign-in", "sign_in", views.sign_in, methods=["POST"])
    made.add_url_rule("/sign-out", "sign_out", views.sign_out, methods=["POST"])
    made.add_url_rule("/static/<hash_>/<path:name>", "static", views.static, methods=["GET"])
    for screen in SCREENS:
        made.add_url_rule(f"/{screen.name}", screen.name, views.screen(screen), methods=["GET"])
    made.add_url_rule("/<path:_>", "nowhere", lambda _: abort(404), methods=["GET"])
    made.register_error_handler(LookalikeError, views.failed)
    for error in (HTTPException, NotFound, MethodNotAllowed):  # by code, too, as the API answers those by code
        made.register_error_handler(error, views.failed_http)
    made.after_request(_with_policy)
    return made


def _with_policy(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", _POLICY)
    # The path alone, and to this server alone: what a page is asked may hold words of its user.
    answer.headers.setdefault("Referrer-Policy", "no-referrer")
    answer.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return answer
