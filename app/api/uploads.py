"""Files for imports: sent with the request that starts the job, or in pieces before it.

The pieces follow the IETF's draft of resumable uploads: `Upload-Offset` says where a piece begins, and HEAD how far an
upload is.
"""

from contextlib import suppress
from io import BytesIO
from typing import Any, cast

from flask import Blueprint, Response, g, request

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.parsing import body_of
from app.domain import statuses
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json
from app.domain.tokens import Principal, Scope
from app.services.context import Context
from app.services.importing.formats import MEDIA_TYPES
from app.services.importing.job import IMPORT, checked_source, preview
from app.services.importing.plan import checked
from app.services.importing.sources import below_root
from app.services.importing.uploads import Uploads
from app.services.jobs import asking

PREFIX = "/jobs/v1"
_WHOLE = ("max_rejects",)
_NUMBERS = ("max_reject_share", "radius")
_FORM = "application/x-www-form-urlencoded"
_LONGEST_DESCRIPTION = 2**16
# Uploads have a limit of their own, which is looked at while they are written.
_ANY_LENGTH = 2**62


class _Uploads:
    def __init__(self, context: Context) -> None:
        self._context = context

    def begin(self) -> Response:
        """Begin an upload."""
        answer = _answer({"upload": (upload := self._uploads(self._writer()).begin())})
        answer.headers["Location"] = f"{request.script_root}{PREFIX}/uploads/{upload}"
        return _at(answer, 0)

    def tell(self, upload: str) -> Response:
        """Say how many bytes of an upload are there."""
        return _at(_answer({"upload": upload}), self._uploads(self._writer()).size(upload))

    def append(self, upload: str) -> Response:
        """Take the next bytes of an upload."""
        uploads = self._uploads(self._writer())
        offset = request.headers.get("Upload-Offset", "")
        if not offset.isascii() or not offset.isdigit() or len(offset) > 18:
            raise InvalidRequest("the header Upload-Offset says where the piece begins: a number of bytes")
        return _at(_answer({"upload": upload}), uploads.append(upload, int(offset), _body()))

    def start(self) -> Response:
        """Start an import of a source that the body describes, or of the body itself."""
        principal = self._writer()
        collection = collection_of(request, self._context.lookup, principal, Scope.WRITE, None)
        uploads = self._uploads(principal)
        described = _description()
        given = self._sent(uploads) if described is None else self._described(described, uploads)
        digest = given.get("source")
        sha = digest.get("upload") if isinstance(digest, dict) else None
        if _previews(request.args.get("preview")):
            told = preview(self._context, collection, given, checked_source(self._context, given))
            return _answer({"preview": told, "source": given.get("source")})
        job, made = asking.start(
            self._context,
            IMPORT,
            collection,
            given,
            principal=principal,
            idempotency_key=request.headers.get("Idempotency-Key"),
            source_digest=bytes.fromhex(sha) if isinstance(sha, str) else None,
        )
        return _answer({**job.told(), "created": made})

    def _described(self, given: dict[str, Json], uploads: Uploads) -> dict[str, Json]:
        """Return the parameters in the body; an upload that was sent in pieces ends here."""
        source = given.get("source")
        if isinstance(source, dict) and isinstance(upload := source.get("upload"), str) and len(upload) != 64:
            given["source"] = {"upload": uploads.finish(upload)}
        elif isinstance(source, dict) and isinstance(upload := source.get("upload"), str):
            uploads.path(upload)
        elif isinstance(source, dict) and isinstance(name := source.get("path"), str):
            checked(given)
            below_root(self._context.settings, name)
        return given

    def _sent(self, uploads: Uploads) -> dict[str, Json]:
        """Write the body to disk; return the parameters, which stand in the query."""
        given: dict[str, Json] = {}
        for name, text in request.args.items():
            if name == "preview":
                continue
            given[name] = loads(text, name) if name in (*_WHOLE, *_NUMBERS, "map", "types") else text
        if "source" in given:
            raise InvalidRequest("source: the body is the source; to name another, send a description as JSON")
        if request.mimetype in MEDIA_TYPES:
            given.setdefault("format", MEDIA_TYPES[request.mimetype])
        upload = uploads.begin()
        try:
            uploads.append(upload, 0, _body())
            given["source"] = {"upload": uploads.finish(upload)}
        finally:
            uploads.drop(upload)
        return given

    def _uploads(self, principal: Principal) -> Uploads:
        return Uploads.of(self._context.settings, principal.token_id)

    def _writer(self) -> Principal:
        principal = principal_of(request, self._context.lookup)
        principal.check_scope(Scope.WRITE)
        return principal


def uploads(context: Context) -> Blueprint:
    """Return the blueprint of imports and their files."""
    views = _Uploads(context)
    made = Blueprint("uploads", __name__, url_prefix=PREFIX)
    made.add_url_rule("/uploads", "begin", views.begin, methods=["POST"])
    made.add_url_rule("/uploads/<upload>", "tell", views.tell, methods=["GET"])
    made.add_url_rule("/uploads/<upload>", "append", views.append, methods=["PATCH"])
    made.add_url_rule("/import", "import", views.start, methods=["POST"])
    return made


def _description() -> dict[str, Json] | None:
    """Return the body where it describes the import; None where it is the source itself.

    That is what its type says. curl says of any body that it is a form: a small one that names a source describes it.
    """
    if request.mimetype in ("", "application/json"):
        return body_of(request)
    if request.mimetype == _FORM and _is_small():
        with suppress(InvalidRequest):
            given = loads(request.get_data(cache=True))
            source = given.get("source") if isinstance(given, dict) else None
            if isinstance(given, dict) and isinstance(source, dict) and source.keys() & {"path", "url", "upload"}:
                return given
    return None


def _previews(text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise InvalidRequest("preview: it is true or false")
    return text == "true"


def _body() -> Any:
    """Return the body as a stream: it goes to disk, so that the limit of other bodies is not its own."""
    request.max_content_length = _ANY_LENGTH  # None would be the application's limit
    # What was read already, to see whether it describes the import, is kept.
    return BytesIO(request.get_data()) if request.mimetype == _FORM and _is_small() else cast("Any", request.stream)


def _is_small() -> bool:
    return 0 < (request.content_length or 0) <= _LONGEST_DESCRIPTION


def _at(answer: Response, offset: int) -> Response:
    answer.headers["Upload-Offset"] = str(offset)
    return answer


def _answer(body: dict[str, Any]) -> Response:
    return envelope.response(statuses.OK, body, g.request_id, g.started)
