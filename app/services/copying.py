"""A collection is copied to a new one of another name, within the database."""

from app.db import collections as collection_table
from app.db import copying, indexes
from app.db import records as record_table
from app.domain.collections import Collection, check_name
from app.domain.errors import CollectionNotFound, InvalidRequest
from app.services import collections, indexing
from app.services.context import Context
from app.services.jobs.running import Running


def check_target(context: Context, name: str) -> None:
    """Refuse a name that a copy cannot have.

    Raises:
        InvalidRequest: it is taken by a collection or an alias, or is no collection's name.

    """
    check_name(name)
    try:
        found = collection_table.get(context.db, name)
    except CollectionNotFound:
        return
    what = "a collection" if found.name == name else f"an alias of {found.name!r}"
    raise InvalidRequest(f"{name!r} is {what} already: nothing was copied; choose another name, or drop it first")


def copy(context: Context, job: Running, source: Collection, name: str) -> Collection:
    """Copy a collection; where the job was interrupted behind that, go on with the indexes.

    Raises:
        InvalidRequest: the name is taken meanwhile.
        Stopped: the job is to stop.

    """
    if not copying.made(context.db, name, job.job.id):
        try:
            _copy_rows(context, job, source, name)
        except InvalidRequest:
            # A worker that was taken for dead, with the same job, may have been faster.
            if not copying.made(context.db, name, job.job.id):
                raise
    made = collections.get(context, name)
    _build_indexes(context, job, source, made)
    return collections.get(context, name)


def _copy_rows(context: Context, job: Running, source: Collection, name: str) -> None:
    job.phase("copying records", record_table.count(context.db, source))
    with copying.begun(context.db, source, name, job.job.id) as made:
        copied = 0
        for number in made.records():
            copied += number
            job.advance(number)
            job.safe_point()
        job.show(copied, copied)
        job.phase("copying thumbnails")
        for _ in made.pictures("thumbnails"):
            job.safe_point()
        job.phase("copying kept pictures")
        for _ in made.pictures("originals"):
            job.safe_point()
        job.phase("indexing attributes")
        made.attach()
        # The job's row is locked from here on: one that was cancelled meanwhile leaves no copy.
        context.db.write(lambda one: made.finish(lambda: job.checkpoint(one, {"copied": True}, done=copied)))


def _build_indexes(context: Context, job: Running, source: Collection, made: Collection) -> None:
    job.phase("building indexes")
    indexes.analyze(context.db, made)
    for field in sorted(source.indexed_fields):
        job.safe_point()
        indexing.declare_field(context, made, field)
    job.safe_point()
    indexing.build_if_needed(context, made)
    job.safe_point()
    if (made := collections.get(context, made.name)).indexed:
        indexing.index_values_again(context, source, made)
