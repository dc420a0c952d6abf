"""Jobs of many records of one file or folder: it is loaded, or its lines change attributes.

Run again from the start, a load finds stored what was stored, and an update changes nothing twice. A pipe can be read
only once: a job that was interrupted while it read one fails, and the command is run again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from app.db import replacing
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.jsontext import dumps
from app.domain.records import Json
from app.services.context import Context
from app.services.importing.sources import below_root
from app.services.jobs.given import boolean, only, text
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running
from app.services.jsonlines import LineFile, LinesAgain, longest_line
from app.services.loading import LoadReport, load, source_items
from app.services.pipeline import Item, Unusable
from app.services.updating import NOT_STORED, Reached, update_from_lines


def _check_load(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "path", "replace", "delete_missing")
    checked: Parameters = {
        "path": text(given, "path"),
        "replace": boolean(given, "replace"),
        "delete_missing": boolean(given, "delete_missing"),
    }
    if checked["delete_missing"] and not checked["replace"]:
        raise InvalidRequest("parameters.delete_missing: it needs replace: the source is then what there is at the end")
    return checked


def run_load(context: Context, job: Running, *, told: Callable[[LoadReport], None] = lambda _: None) -> Outcome:
    """Load a folder or a file of lines; a command is also told the report."""
    path = _path(context, job)
    # What came to the collection since the job was begun for the first time is not missing in the source.
    began = job.position.get("began") if isinstance(job.position, dict) else None
    _read_once(job, path)
    if not isinstance(began, str):
        began = replacing.moment(context.db).isoformat()
        job.save({"began": began, "path": str(path)})
    items, total = source_items(context, path)
    job.phase("loading", total)
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        job.show(done)

    with closing(_Rejects(job, path, items, longest_line(context.settings))) as rejects:
        report = load(
            context,
            job.collection(),
            _until_stopped(job, items),
            replace_stored=bool(job.parameters["replace"]),
            delete_missing=bool(job.parameters["delete_missing"]),
            progress=advance,
            failed=rejects.note,
            began=datetime.fromisoformat(began),
        )
    told(report)
    job.phase("loading", report.seen)
    counted = {name: getattr(report, name) for name in ("stored", "replaced", "updated", "present", "deleted")}
    return Outcome(
        {
            **counted,
            "rejected": len(report.failed),
            "passed_over": len(report.passed_over),
            "kept_because": report.kept_because,
            "index_built": report.index_built,
        }
    )


def _until_stopped(job: Running, items: Iterable[Item | Unusable]) -> Iterator[Item | Unusable]:
    for one in items:
        job.safe_point()
        yield one


class _Rejects:
    """Notes what a load could not take, each by its line, or by its place in the order of a folder.

    A line of a file comes along as it is; of a folder and a pipe there is none.
    """

    def __init__(self, job: Running, path: Path, items: Iterable[Item | Unusable], most: int) -> None:
        self._job = job
        self._folder = items if path.is_dir() else None
        self._lines = LinesAgain(path, most) if path.is_file() else None
        self._places: dict[str, int] = {}

    def note(self, one: Unusable) -> None:
        """Note it."""
        line = self._line(one.place)
        source = None if self._lines is None else self._lines.text(line)
        self._job.reject(line, one.id, statuses.SKIPPED_ERROR.code, f"{one.place}: {one.reason}", source)

    def close(self) -> None:
        """Close the file that lines are read from once more."""
        if self._lines is not None:
            self._lines.close()

    def _line(self, place: str) -> int:
        if self._folder is None:
            return _number(place)
        if not self._places:
            self._places = {each.place: number for number, each in enumerate(self._folder, 1)}
        return self._places[place]


LOAD = Kind(
    "load",
    "Loads a folder of pictures or a file of JSON lines below the files root; `replace` brings stored records up to"
    " date, and `delete_missing` deletes those that the source does not have.",
    run_load,
    _check_load,
)


def _check_update(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "path", "rebuild_index")
    return {"path": text(given, "path"), "rebuild_index": boolean(given, "rebuild_index")}


def run_update(context: Context, job: Running, *, skipped: Callable[[Unusable], None] = lambda _: None) -> Outcome:
    """Change attributes by the lines of a file, from the position on; a command is also told of each skipped line."""
    path = _path(context, job)
    reached = Reached.of(job.position)
    _read_once(job, path)
    if job.position is None:
        job.save({**reached.told(), "path": str(path)})
    lines = LineFile(path)
    job.phase("updating", lines.count())

    def save(now: Reached) -> None:
        nonlocal reached
        job.save({**now.told(), "path": str(path)}, done=now.seen - reached.seen)
        reached = now
        job.safe_point()

    def note(one: Unusable, record: Mapping[str, Json] | None) -> None:
        code = statuses.SKIPPED_NOT_FOUND if one.reason == NOT_STORED else statuses.SKIPPED_ERROR
        skipped(one)
        job.reject(_number(one.place), one.id, code.code, one.reason, None if record is None else dumps(dict(record)))

    done = update_from_lines(
        context,
        job.collection(),
        lines,
        rebuild=bool(job.parameters["rebuild_index"]),
        after=reached,
        reached=save,
        skipped=note,
    )
    job.phase("updating", reached.seen)
    return Outcome({"changed": reached.changed, "rejected": reached.skipped, "index_built": done.index_built})


UPDATE = Kind(
    "update",
    "Changes attributes of records by a file of JSON lines below the files root; with `rebuild_index`, the index of"
    " vectors is dropped first and built at the end.",
    run_update,
    _check_update,
)


def _path(context: Context, job: Running) -> Path:
    value = str(job.parameters["path"])
    return Path(value) if job.job.local else below_root(context.settings, value)


def _read_once(job: Running, path: Path) -> None:
    """Refuse to go on with a pipe that a run before this one has read from.

    Raises:
        InvalidRequest: this is such a run.

    """
    if job.position is not None and (str(path) == "-" or not (path.is_file() or path.is_dir())):
        raise InvalidRequest(
            "the job was interrupted, and what it read from a pipe is not there any more: run the command again; what"
            " is done already is not done twice"
        )


def _number(place: str) -> int:
    return int(place.removeprefix("line "))
