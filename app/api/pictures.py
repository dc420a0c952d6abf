"""The blueprint of pictures, `/pictures/v1/…`: thumbnails and kept originals, under the rights of a search.

The collection stands in the path of what is read, so that a page can show it: an `<img>` sends no headers of its own.
"""

from contextlib import AbstractContextManager

from flask import Blueprint, Response, g, jsonify, request

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.parsing import body_of, parse
from app.api.pictures_document import VersionsParameters, document
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.freshness import HEADER, Asked, asking, position_in
from app.domain.tokens import Scope
from app.services import kept_pictures as service
from app.services.context import Context
from app.services.kept_pictures import KeptPicture

PREFIX = "/pictures/v1"
_FOR_GOOD = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


class _Pictures:
    def __init__(self, context: Context) -> None:
        self._context = context

    def versions(self) -> Response:
        """Tell the versions of thumbnails."""
        principal = principal_of(request, self._context.lookup)
        collection = collection_of(request, self._context.lookup, principal, Scope.READ, None)
        given = parse(VersionsParameters, body_of(request))
        with _reading(collection):
            found = service.versions(self._context, collection, given.records)
        return envelope.response(statuses.OK, {"thumbnails": found}, g.request_id, g.started)

    def thumbnail(self, name: str) -> Response:
        """Send a thumbnail: for good where the version is asked for that it has."""
        collection = self._readable(name)
        with _reading(collection):
            found = service.thumbnail(self._context, collection, _record())
        answer = _answer(found)
        answer.headers["Cache-Control"] = _FOR_GOOD if request.args.get("v") == found.version else _ASK_AGAIN
        return answer

    def original(self, name: str) -> Response:
        """Send a picture as it came."""
        collection = self._readable(name)
        with _reading(collection):
            answer = _answer(service.original(self._context, collection, _record()))
        answer.headers["Cache-Control"] = _ASK_AGAIN
        return answer

    def trashed(self, name: str) -> Response:
        """Send the thumbnail of a record in the trash."""
        answer = _answer(service.trashed(self._context, self._readable(name), _number()))
        answer.headers["Cache-Control"] = _ASK_AGAIN
        return answer

    def _readable(self, name: str) -> Collection:
        principal = principal_of(request, self._context.lookup)
        collection = self._context.lookup.collection(name)
        principal.require(Scope.READ, collection.id)
        return collection


def pictures(context: Context) -> Blueprint:
    """Return the blueprint of pictures."""
    views = _Pictures(context)
    made = Blueprint("pictures", __name__, url_prefix=PREFIX)
    made.add_url_rule("/openapi.json", "document", lambda: jsonify(document(request.script_root)), methods=["GET"])
    made.add_url_rule("/versions", "versions", views.versions, methods=["POST"])
    made.add_url_rule("/<name>/thumbnail", "thumbnail", views.thumbnail, methods=["GET"])
    made.add_url_rule("/<name>/trashed", "trashed", views.trashed, methods=["GET"])
    made.add_url_rule("/<name>/original", "original", views.original, methods=["GET"])
    return made


def _reading(collection: Collection) -> AbstractContextManager[None]:
    """Let pictures be read on a replica that is as new as the request asks for."""
    return asking(Asked(collection.id, reads=True, position=position_in(request.headers.get(HEADER))))


def _record() -> str:
    record_id = request.args.get("id")
    if not record_id:
        raise InvalidRequest("id: name the record, as in ?id=17")
    return record_id


def _number() -> int:
    number = request.args.get("number", "")
    if not (number.isascii() and number.isdigit()):
        raise InvalidRequest("number: name the record's number in the trash, as in ?number=17")
    return int(number)


def _answer(found: KeptPicture) -> Response:
    answer = Response(found.data, content_type=found.media_type)
    if found.version is None:
        answer.add_etag()
    else:
        answer.set_etag(found.version)
    answer.headers["X-Request-ID"] = g.request_id
    # Another caller in the same browser does not get what the last one was allowed to see.
    answer.vary.update(("Authorization", "Cookie"))
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.make_conditional(request)
    return answer
