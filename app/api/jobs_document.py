"""The OpenAPI 3.1 document of jobs: what is under `/jobs/v1`."""

from app.api.openapi_parts import Document, answered, framed
from app.api.openapi_schemas import ref
from app.domain.jobs import State
from app.services import moving
from app.services.importing.formats import MEDIA_TYPES
from app.services.jobs.kinds import KINDS

_TEXT: Document = {"type": "string"}
_TEXT_OR_NULL: Document = {"type": ["string", "null"]}
_WHOLE: Document = {"type": "integer", "minimum": 0}
_WHOLE_OR_NULL: Document = {"type": ["integer", "null"], "minimum": 0}
_NUMBER_OR_NULL: Document = {"type": ["number", "null"], "minimum": 0}
_ERRORS = {
    "400": "The request cannot be understood, or the job is in no state for it.",
    "401": "No token, or one that is not known.",
    "403": "The token may not do this.",
    "404": "There is no such job, collection, or none that the token may see.",
    "503": "The database is away, or too many requests wait; Retry-After says for how long.",
}


_IMPORT_PARAMETERS = {
    "format": "Its format, where it is not to be found.",
    "map": "Which field becomes what, as JSON.",
    "mode": "insert, upsert or update_only.",
    "near_duplicates": "keep, skip or report.",
    "radius": "Within which a record is a near duplicate.",
    "max_rejects": "Beyond so many rejects the job fails.",
    "max_reject_share": "Beyond such a share of rejects the job fails.",
    "encoding": "Of a table, where it is not to be found.",
    "delimiter": "Of a table, where it is not to be found.",
    "types": "Of a table's columns, as JSON.",
}


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _schemas() -> Document:
    envelope = {
        "status": _object(code={"type": "integer"}, text=_TEXT, request_id=_TEXT),
        "statistics": _object(OperationTime=_WHOLE),
    }
    told = {
        "id": _TEXT,
        "kind": {"type": "string", "enum": sorted({*KINDS, moving.NAME})},
        "state": {"type": "string", "enum": list(State)},
        "collection": _TEXT_OR_NULL,
        "progress": ref("Progress"),
        "created_at": {"type": "string", "format": "date-time"},
        "started_at": _TEXT_OR_NULL,
        "finished_at": _TEXT_OR_NULL,
        "error": _TEXT_OR_NULL,
    }
    outcome: Document = {"description": "What the kind of job reports at its end."}
    listed = {"type": "array", "items": _object(**told)}
    return {
        "Progress": _object(
            phase=_TEXT_OR_NULL,
            done=_WHOLE,
            total=_WHOLE_OR_NULL,
            rejected=_WHOLE,
            bytes=_WHOLE,
            rate=_NUMBER_OR_NULL,
            seconds_left=_NUMBER_OR_NULL,
            indexed=_WHOLE_OR_NULL,
        ),
        "Job": _object(**envelope, **told, outcome=outcome),
        "Jobs": _object(**envelope, jobs=listed, next=_TEXT_OR_NULL),
        "Upload": _object(**envelope, upload=_TEXT),
        "Preview": _object(
            **envelope,
            preview={
                **_object(format=_TEXT, records={"type": "array", "items": {"type": "object"}}),
                "description": "The format, of a table `encoding`, `delimiter` and `types`, and the first records.",
            },
            source={"type": "object", "description": "Names the source again, to import it now."},
        ),
        "Failure": _object(**envelope),
    }


def _parameter(name: str, place: str, description: str, schema: Document = _TEXT) -> Document:
    return {"name": name, "in": place, "required": place == "path", "description": description, "schema": schema}


def _operation(
    name: str, summary: str, answer: str, *parameters: Document, media: str = "application/json"
) -> Document:
    schema = ref(answer) if answer else _TEXT
    return {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": answered({media: {"schema": schema}}, _ERRORS, ref("Failure")),
    }


def _with_sources(paths: Document) -> None:
    """Add what imports have beside other kinds: the file itself as the body, a preview, and uploads in pieces."""
    starts = paths["/import"]["post"]
    starts["parameters"].append(
        _parameter("preview", "query", "true: tell how the source is read, and import nothing.", {"type": "boolean"})
    )
    for name, said in _IMPORT_PARAMETERS.items():
        starts["parameters"].append(_parameter(name, "query", f"{said} Beside a body that is the source itself."))
    binary: Document = {"schema": {"type": "string", "format": "binary"}}
    starts["requestBody"]["required"] = True
    starts["requestBody"]["content"] |= dict.fromkeys(MEDIA_TYPES, binary)
    starts["requestBody"]["content"]["application/octet-stream"] = binary
    answer = starts["responses"]["200"]["content"]["application/json"]
    answer["schema"] = {"oneOf": [answer["schema"], ref("Preview")]}
    upload = _parameter("upload", "path", "Id of the upload.")
    offset = {**_parameter("Upload-Offset", "header", "Bytes that lie before the piece.", _WHOLE), "required": True}
    append = _operation("appendToUpload", "Sends the next piece of an upload.", "Upload", upload, offset)
    append["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    told = _operation("getUpload", "Tells how many bytes of an upload are there.", "Upload", upload)
    headed = _operation("headUpload", "Tells the same in the header Upload-Offset alone.", "Upload", upload)
    del headed["responses"]["200"]["content"]
    paths["/uploads"] = {"post": _operation("beginUpload", "Begins an upload in pieces.", "Upload")}
    paths["/uploads/{upload}"] = {"get": told, "head": headed, "patch": append}
    for operation in (paths["/uploads"]["post"], *paths["/uploads/{upload}"].values()):
        operation["responses"]["200"]["headers"] = {
            "Upload-Offset": {"description": "Bytes that are there.", "schema": _WHOLE}
        }


def document(root: str = "") -> Document:
    """Return the document; `root` is the path below which the server is mounted."""
    job = _parameter("id", "path", "Id of the job.")
    wait = _parameter("wait", "query", "Seconds to wait until its state is another, 0 to 60.", _WHOLE)
    lists = (
        _parameter("state", "query", f"States, separated by commas: {', '.join(State)}."),
        _parameter("kind", "query", "Kinds, separated by commas."),
        _parameter("collection", "query", "Name of a collection."),
        _parameter("size", "query", "Jobs at most, 1 to 1000; left out: 100.", _WHOLE),
        _parameter("before", "query", "`next` of the page before."),
    )
    paths: Document = {
        "/jobs": {"get": _operation("listJobs", "Lists jobs, the latest first.", "Jobs", *lists)},
        "/jobs/{id}": {"get": _operation("getJob", "Tells of a job, at once or when it changes.", "Job", job, wait)},
        "/jobs/{id}/rejects": {
            "get": _operation("getRejects", "Downloads rejects.", "", job, media="application/x-ndjson")
        },
        "/jobs/{id}/result": {
            "get": _operation(
                "getResult", "Downloads the file of an export.", "", job, media="application/octet-stream"
            )
        },
        "/jobs/{id}/events": {"get": _operation("followJob", "Follows a job.", "", job, media="text/event-stream")},
    }
    for name, said in (("pause", "Pauses a job."), ("resume", "Lets a job go on."), ("cancel", "Cancels a job.")):
        paths[f"/jobs/{{id}}/{name}"] = {"post": _operation(f"{name}Job", said, "Job", job)}
    for kind in KINDS.values():
        starts = _operation(
            f"start-{kind.name}",
            kind.summary,
            "Job",
            _parameter("collection-id", "header", "Name of the collection."),
            _parameter("Idempotency-Key", "header", "The same request again answers with the same job."),
        )
        starts["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
        paths[f"/{kind.name}"] = {"post": starts}
    _with_sources(paths)
    about = "Work that takes long, in the background. docs/jobs.md tells of it."
    return framed("jobs", about, f"{root}/jobs/v1", paths, {"schemas": _schemas()})
