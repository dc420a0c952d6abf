"""The blueprint of maps, `/maps/v1/…`: how far one is, its points as one binary answer, and what goes by their places.

The collection stands in the path: these answers are read with GET and kept by their ETag. A job of the kind `map` makes
one (`POST /jobs/v1/map`).
"""

import base64
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps

from flask import Blueprint, Response, g, jsonify, request

from app.api import envelope
from app.api.auth import principal_of
from app.api.envelope import Body
from app.api.maps_document import ColoursParameters, document
from app.api.parsing import body_of, parse
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.tokens import Scope
from app.services import maps as service
from app.services.context import Context
from app.services.maps import Colours

PREFIX = "/maps/v1"
_LONGEST = 18  # digits of a number in a query string


class _Maps:
    def __init__(self, context: Context) -> None:
        self._context = context

    def state(self, collection: Collection) -> Response:
        """Tell how far a map is."""
        _only()
        found = service.state(self._context, collection)
        if found is None:
            return _told({"layout": "none", "points": 0})
        outdated = found.generation != collection.generation
        return _told(
            {
                "layout": found.layout,
                "version": str(found.version),
                "made_at": found.made_at,
                "seed": found.seed,
                "outdated": outdated,
                "points": found.points,
                "placed": found.placed,
                "unplaced": found.records - found.points,
                "drawn": min(found.places, service.DRAWN),
            }
        )

    def points(self, collection: Collection) -> Response:
        """Send where records lie: x and y of each place, float32, the least significant byte first."""
        _only()
        found = service.points(self._context, collection)
        answer = Response(found.points.astype("<f4").tobytes(), content_type="application/octet-stream")
        answer.headers["Map-Version"] = str(found.version)
        answer.headers["Map-Points"] = str(found.total)
        return _kept(answer)

    def ids(self, collection: Collection) -> Response:
        """Tell the ids of records by place."""
        _only("version")
        version, found = service.ids(self._context, collection, _version())
        return _kept(_told({"version": str(version), "ids": found, "statistics": {"OperationTime": 0}}))

    def clusters(self, collection: Collection) -> Response:
        """Tell the clusters, each with the record that stands for it."""
        _only()
        return _told({"clusters": [asdict(one) for one in service.clusters(self._context, collection)]})

    def outliers(self, collection: Collection) -> Response:
        """Tell the records that are farthest from their neighbours."""
        _only("k")
        found = service.outliers(self._context, collection, 100 if (k := _number("k")) is None else k)
        return _told({"outliers": [asdict(one) for one in found]})

    def colours(self, collection: Collection) -> Response:
        """Tell a colour for each place: by an attribute, by cluster, or by the distance to a picture."""
        given = parse(ColoursParameters, body_of(request))
        version = None if given.version is None else _whole("version", given.version)
        if (given.field is not None) + (given.query_record is not None) + given.clusters != 1:
            raise InvalidRequest('name either a "field" or a "query_record", or say "clusters": true')
        if given.field is not None:
            found = service.by_field(self._context, collection, given.field, version)
        elif given.query_record is not None:
            found = service.by_distance(self._context, collection, given.query_record, version)
        else:
            found = service.by_cluster(self._context, collection, version)
        return _told(_colours(found))


def _colours(found: Colours) -> Body:
    return {
        "version": str(found.version),
        "kind": found.kind,
        "legend": list(found.legend),
        "low": found.low,
        "high": found.high,
        "shades": found.shades,
        "none": found.none,
        "codes": base64.b64encode(found.codes.tobytes()).decode(),
    }


def maps(context: Context) -> Blueprint:
    """Return the blueprint of maps."""
    views = _Maps(context)
    made = Blueprint("maps", __name__, url_prefix=PREFIX)
    made.add_url_rule("/openapi.json", "document", lambda: jsonify(document(request.script_root)), methods=["GET"])
    for view in (views.state, views.points, views.ids, views.clusters, views.outliers):
        made.add_url_rule(f"/<name>/{view.__name__}", view.__name__, _readable(context, view), methods=["GET"])
    made.add_url_rule("/<name>/colours", "colours", _readable(context, views.colours), methods=["POST"])
    return made


def _readable(context: Context, view: Callable[[Collection], Response]) -> Callable[[str], Response]:
    @wraps(view)
    def answer(name: str) -> Response:
        principal = principal_of(request, context.lookup)
        collection = context.lookup.collection(name)
        principal.require(Scope.READ, collection.id)
        return view(collection)

    return answer


def _only(*names: str) -> None:
    for name in request.args:
        if name not in names:
            known = f"it takes {', '.join(names)}" if names else "it takes none"
            raise InvalidRequest(f"{name[:40]}: there is no such parameter here; {known}")


def _version() -> int | None:
    return _number("version")


def _number(name: str) -> int | None:
    given = request.args.get(name)
    return None if given is None else _whole(name, given)


def _whole(name: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > _LONGEST:
        raise InvalidRequest(f"{name}: it is a whole number")
    return int(given)


def _told(body: Body) -> Response:
    return envelope.response(statuses.OK, body, g.request_id, g.started)


def _kept(answer: Response) -> Response:
    """Have an answer kept, and asked for again by its ETag; never shown to who may not see it."""
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["X-Request-ID"] = g.request_id
    answer.vary.update(("Authorization", "Cookie"))
    if answer.mimetype == "application/octet-stream":
        answer.add_etag()
        answer.make_conditional(request)
    return answer
