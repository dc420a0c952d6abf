"""The blueprint of jobs, `/jobs/v1/…`: started, listed, waited for, followed, paused, resumed, cancelled."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from flask import Blueprint, Response, g, jsonify, request, send_file

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.jobs_document import document
from app.api.parsing import body_of
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.jobs import Job, JobNotFound, State
from app.domain.tokens import Principal, Scope
from app.domain.waiting import Awaited, aside
from app.services.context import Context
from app.services.exporting.job import result_of
from app.services.jobs import asking
from app.services.jobs.asking import Sight

PREFIX = "/jobs/v1"
LONGEST_WAIT = 60
"""Seconds that a request may wait for a job."""
MOST_LISTED = 1000
_ID = re.compile(r"[0-9]{1,18}")
_LOOK_SECONDS = 1.0
_BEATS = 15
_BUSY_SECONDS = 5


class _Jobs:
    """The views; those that wait share a bounded number of places."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._places = context.watchers

    def start(self, kind: str) -> Response:
        """Start a job of a kind; the body holds its parameters, the header `collection-id` names the collection."""
        principal = principal_of(request, self._context.lookup)
        principal.check_scope(Scope.WRITE)
        chosen = asking.kind_of(kind)
        job, made = asking.start(
            self._context,
            chosen,
            self._collection(principal) if chosen.of_collection else None,
            body_of(request),
            principal=principal,
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return _answer({**job.told(), "created": made})

    def listed(self) -> Response:
        """List jobs, the latest first."""
        principal = principal_of(request, self._context.lookup)
        sight = asking.sight_of(principal, Scope.READ)
        given = request.args.to_dict()
        size = _number(given, "size", 100, 1, MOST_LISTED)
        name = given.get("collection")
        jobs = asking.listed(
            self._context,
            sight,
            states=_states(given.get("state")),
            kinds=_kinds(given.get("kind")),
            collection_id=None if name is None else self._context.lookup.collection(name).id,
            before=_number(given, "before", 2**62, 0, 2**62),
            most=size,
        )
        more = str(jobs[-1].id) if len(jobs) == size else None
        return _answer({"jobs": [job.told(whole=False) for job in jobs], "next": more})

    def get(self, job_id: str) -> Response:
        """Tell of a job; with `wait`, as soon as its state changes, or after so many seconds."""
        sight = self._sight(Scope.READ)
        seconds = _number(request.args.to_dict(), "wait", 0, 0, LONGEST_WAIT)
        number = _id(job_id)
        # Whoever finds no place is answered at once, and asks again.
        if not seconds or not self._places.acquire(blocking=False):
            return _answer(asking.get(self._context, number, sight).told())
        try:
            with aside(Awaited.JOBS):
                job = asking.wait(self._context, number, sight, seconds)
        finally:
            self._places.release()
        return _answer(job.told())

    def change(self, job_id: str, change: Callable[[Context, int, Sight], Job]) -> Response:
        """Pause, resume or cancel a job."""
        return _answer(change(self._context, _id(job_id), self._sight(Scope.WRITE)).told())

    def rejects(self, job_id: str) -> Response:
        """Send what a job could not take, a line of JSON each."""
        number, sight = _id(job_id), self._sight(Scope.READ)
        asking.get(self._context, number, sight)
        lines = (one.json() + b"\n" for one in asking.rejects(self._context, number, sight))
        headers = {"Content-Disposition": f'attachment; filename="job-{number}-rejects.jsonl"'}
        return Response(lines, headers={**headers, "X-Request-ID": g.request_id}, content_type="application/x-ndjson")

    def result(self, job_id: str) -> Response:
        """Send the file that an export made; ranges of it, too, so that a download goes on where it broke off."""
        path, media_type = result_of(self._context, asking.get(self._context, _id(job_id), self._sight(Scope.READ)))
        answer = send_file(path, media_type, as_attachment=True, download_name=path.name)
        answer.headers["X-Request-ID"] = g.request_id
        return answer

    def events(self, job_id: str) -> Response:
        """Follow a job by server-sent events, until it has ended."""
        number, sight = _id(job_id), self._sight(Scope.READ)
        job = asking.get(self._context, number, sight)
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many requests follow jobs; try again in a moment", _BUSY_SECONDS)
        answer = Response(self._told(job, sight), content_type="text/event-stream")
        answer.headers["X-Request-ID"] = g.request_id
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(self._places.release)
        return answer

    def _told(self, job: Job, sight: Sight) -> Iterator[bytes]:
        """Yield an event for each change that is seen, a comment where nothing changes for a while."""
        last, beats = b"", 0
        yield b"retry: 2000\n\n"
        while True:
            now = orjson.dumps(job.told())
            if now != last:
                yield b"event: job\ndata: " + now + b"\n\n"
                last, beats = now, 0
            if job.ended or self._context.bell.silent:
                return
            beats += 1
            if beats % _BEATS == 0:
                yield b": still there\n\n"
            try:
                with aside(Awaited.JOBS):
                    self._context.bell.wait(self._context.bell.rings, _LOOK_SECONDS)
                job = asking.get(self._context, job.id, sight)
            except Unavailable:
                continue  # the database is away for a moment
            except JobNotFound:
                return

    def _sight(self, scope: Scope) -> Sight:
        return asking.sight_of(principal_of(request, self._context.lookup), scope)

    def _collection(self, principal: Principal) -> Collection:
        return collection_of(request, self._context.lookup, principal, Scope.WRITE, None)


def jobs(context: Context) -> Blueprint:
    """Return the blueprint of jobs."""
    views = _Jobs(context)
    made = Blueprint("jobs", __name__, url_prefix=PREFIX)
    made.add_url_rule("/openapi.json", "document", lambda: jsonify(document(request.script_root)), methods=["GET"])
    made.add_url_rule("/<kind>", "start", views.start, methods=["POST"])
    made.add_url_rule("/jobs", "listed", views.listed, methods=["GET"])
    made.add_url_rule("/jobs/<job_id>", "get", views.get, methods=["GET"])
    made.add_url_rule("/jobs/<job_id>/rejects", "rejects", views.rejects, methods=["GET"])
    made.add_url_rule("/jobs/<job_id>/result", "result", views.result, methods=["GET"])
    made.add_url_rule("/jobs/<job_id>/events", "events", views.events, methods=["GET"])
    for name, change in (("pause", asking.pause), ("resume", asking.resume), ("cancel", asking.cancel)):
        made.add_url_rule(f"/jobs/<job_id>/{name}", name, views.change, methods=["POST"], defaults={"change": change})
    return made


def _answer(body: dict[str, Any]) -> Response:
    return envelope.response(statuses.OK, body, g.request_id, g.started)


def _id(text: str) -> int:
    if not _ID.fullmatch(text):
        raise JobNotFound(f"there is no job {text[:40]!r}")
    return int(text)


def _number(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = given.get(name)
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise InvalidRequest(f"{name}: it is a whole number, {least} to {most}")
    return int(text)


def _words(text: str | None) -> list[str] | None:
    return [word.strip() for word in text.split(",")] if text else None


def _kinds(text: str | None) -> list[str] | None:
    words = _words(text)
    try:
        return None if words is None else [asking.kind_of(word).name for word in words]
    except InvalidRequest as error:
        raise InvalidRequest(f"kind: {error}") from None


def _states(text: str | None) -> list[State] | None:
    words = _words(text)
    try:
        return None if words is None else [State(word) for word in words]
    except ValueError:
        raise InvalidRequest(f"state: the states are {', '.join(State)}") from None
