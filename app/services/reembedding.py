"""`lookalike collection reembed`: all vectors of a collection made anew by another model, while it is searched.

The new vectors get a table of their own, with its indexes; searches go on in the old one until one transaction puts the
new in its place. What is written meanwhile is noted by a trigger and followed. Run again after a kill, it goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.db import collections as collection_table
from app.db import indexes, records
from app.db import reembedding as steps
from app.db.reembedding import Change, ModelChange, NotYet, PictureOrigin
from app.domain.collections import Collection
from app.domain.errors import ImageError, InvalidRequest
from app.domain.jsontext import dumps
from app.embedding.models import registry
from app.embedding.models.batching import BatchedEmbedder, ModelFailed
from app.services.chunking import write_behind
from app.services.context import Context
from app.services.indexing import index_values_again, resources
from app.services.pipeline import Item, Pipeline, PreparedItem
from app.services.vectors import embedder_of

__all__ = ["ModelChange", "ReembeddingReport", "Trial", "Watch", "abandon", "alone", "run", "start"]

_CHUNK = 500
# Block writers for the final catch-up only if at most this many changes are left.
_LAST = 32
# Fetch pictures of the last changes without blocking writers; block them only after so many rounds.
_FETCH_ROUNDS = 20
_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Watch:
    """A watcher is told how far it is: `advance` of each record that is done with, `say` of each step."""

    advance: Callable[[int], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class ReembeddingReport:
    """A run reports what it did.

    `switched` is false where it stopped before the switch, for a decision about the `unreadable` records; `examples`
    are some of them, with the reason. `dropped` is the number of records deleted in the switch, `seconds` how long
    searches were kept out.
    """

    collection: Collection
    switched: bool
    embedded: int = 0
    unreadable: int = 0
    examples: Sequence[tuple[str, str]] = ()
    dropped: int = 0
    seconds: float = 0.0


def alone(context: Context, collection: Collection) -> AbstractContextManager[None]:
    """Keep other processes from changing the same collection's model until the block ends, or this process does.

    Raises:
        InvalidRequest: another process is at it.

    """
    return steps.alone(context.db, collection)


def start(context: Context, collection: Collection, model: str | None) -> ModelChange | None:
    """Begin a change of the model, or go on with the one that is under way; None where the model is in use already.

    Raises:
        InvalidRequest: no model is named, there is none of this name, or a change to another one is under way.
        Unavailable: the table stayed in use.

    """
    found = steps.find(context.db, collection)
    if found is None:
        if model is None:
            raise InvalidRequest("name the model: --model NAME")
        facts = registry.describe(model, context.models.options)
        if (facts.name, facts.revision) == (collection.model, collection.model_revision):
            steps.tidy(context.db, collection)
            return None
        values = {
            "model": facts.name,
            "model_revision": facts.revision,
            "dimensions": facts.dimensions,
            "distance_scale": facts.distance_scale,
        }
        steps.begin(context.db, collection, values)
        found = steps.find(context.db, collection)
        assert found is not None  # noqa: S101  (it was just begun, and no other process may end it)
    elif model not in (None, found.next.model):
        raise InvalidRequest(
            f"{collection.name!r} is being re-embedded with {found.next.model}: go on with that model, or give it up"
            " with --abandon first"
        )
    return found


def run(
    context: Context,
    job: ModelChange,
    *,
    drop_unreadable: bool = False,
    unreadable_to: Path | None = None,
    watch: Watch | None = None,
) -> ReembeddingReport:
    """Make the vectors that are missing, follow what was written meanwhile, build the indexes, and switch.

    Pictures that could not be read are tried once more, except with `drop_unreadable`: then the decision is made, and
    their records are deleted in the switch. Without it, one unreadable record stops the run before the switch. All of
    them are written to `unreadable_to`, a line of JSON each.

    Raises:
        ConfigurationError: the model is of another revision than when the change began.
        Unavailable: the database is away, or the tables stayed in use; what was done is kept.

    """
    watch = watch or Watch()
    worker = _Worker(context, job, embedder_of(context, job.next), watch)
    if not drop_unreadable:
        steps.forget_failures(context.db, job)
    embedded = worker.make_missing()
    worker.follow()
    unreadable = _unreadable(context, job, unreadable_to)
    if unreadable[0] and not drop_unreadable:
        return ReembeddingReport(job.collection, False, embedded, *unreadable)
    _build_indexes(context, job, watch)
    watch.say("switching")
    settle = partial(_settle, worker, drop_unreadable, unreadable_to)
    try:
        done = steps.switch(context.db, job, worker.follow, settle, drop_unreadable=drop_unreadable)
    except _Undecided:
        return ReembeddingReport(job.collection, False, embedded, *_unreadable(context, job, unreadable_to))
    collection = collection_table.get(context.db, job.collection.name)
    steps.tidy(context.db, collection)
    return ReembeddingReport(collection, True, embedded, *unreadable, done.dropped, done.seconds)


def _unreadable(context: Context, job: ModelChange, path: Path | None) -> tuple[int, list[tuple[str, str]]]:
    """Return how many records cannot be read, and some of them; write all of them to a file, if one is named."""
    if path is not None:
        lines = (dumps({"_id": record_id, "reason": reason}) for record_id, reason in steps.failures(context.db, job))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return steps.count_failures(context.db, job), steps.failures(context.db, job, _EXAMPLES)


def abandon(context: Context, collection: Collection) -> bool:
    """Give up a change and remove its new vectors; return whether one was under way."""
    return steps.abandon(context.db, collection)


class _Undecided(Exception):
    """A record that was written last cannot be read."""


def _settle(worker: "_Worker", drop_unreadable: bool, unreadable_to: Path | None, round_: int) -> None:
    """See to the last changes, with writers kept out; what would take long is done with writers let through."""
    last = steps.changes(worker.context.db, worker.job, _LAST + 1)
    fresh = [change.id for change in last if change.new_picture]
    slow = [source for source in worker.sources(fresh) if not source.kept and source.url is not None]
    if len(last) > _LAST or (slow and round_ < _FETCH_ROUNDS):
        raise NotYet
    worker.follow()
    if drop_unreadable and unreadable_to is not None and fresh:
        _unreadable(worker.context, worker.job, unreadable_to)
    if not drop_unreadable and steps.count_failures(worker.context.db, worker.job):
        raise _Undecided


def _build_indexes(context: Context, job: ModelChange, watch: Watch) -> None:
    watch.say("building indexes")
    indexes.build_gin(context.db, job.next)
    for field in sorted(collection_table.get(context.db, job.collection.name).indexed_fields):
        indexes.declare_field(context.db, job.next, field)
    if job.collection.indexed or indexes.holds_more(context.db, job.next, context.settings.index_rows):
        indexes.build_hnsw(context.db, job.next, resources(context.settings), unused=True)
    index_values_again(context, job.collection, job.next, unused=True)
    indexes.analyze(context.db, job.next)


class _Worker:
    """Makes new vectors of records, by the pipeline that also loads pictures."""

    def __init__(self, context: Context, job: ModelChange, embedder: BatchedEmbedder, watch: Watch) -> None:
        self.context = context
        self.job = job
        self._embedder = embedder
        self._watch = watch
        # Thumbnails and originals stay as they are.
        self._plain = replace(job.next, thumbnails=False, keep_images=False)

    def sources(self, ids: Sequence[str]) -> list[PictureOrigin]:
        """Return where the pictures of those of these records are that are stored."""
        return steps.sources(self.context.db, self.job, ids) if ids else []

    def make_missing(self) -> int:
        """Make the vector of every record that has none; return their number."""
        self._watch.say("embedding")
        number = 0
        for stored in write_behind(self._embedded(self._missing()), self._store):
            number += stored
        return number

    def _store(self, chunk: tuple[dict[str, NDArray[np.float32]], dict[str, str]]) -> int:
        vectors, failed = chunk
        steps.store(self.context.db, self.job, vectors, failed)
        return len(vectors)

    def follow(self) -> None:
        """Make the new table follow what was written to the old one, until little or nothing is left."""
        while changes := steps.changes(self.context.db, self.job, _CHUNK):
            self._apply(changes)
            if len(changes) <= _LAST:
                return

    def _apply(self, changes: Sequence[Change]) -> None:
        fresh = sorted({change.id for change in changes if change.new_picture})
        vectors: dict[str, NDArray[np.float32]] = {}
        failed: dict[str, str] = {}
        for more, unreadable in self._embedded(map(self._item, self.sources(fresh)), tell=False):
            vectors |= more
            failed |= unreadable
        steps.apply(self.context.db, self.job, changes, vectors, failed)

    def tried(self, ids: Sequence[str]) -> tuple[int, dict[str, str]]:
        """Return how many of these records got a vector, and why the others have none; nothing is stored."""
        made, failed = 0, dict[str, str]()
        for vectors, unreadable in self._embedded(map(self._item, self.sources(ids)), tell=False):
            made += len(vectors)
            failed |= unreadable
        return made, failed

    def _missing(self) -> Iterator[Item]:
        after = ""
        while found := steps.missing(self.context.db, self.job, after, _CHUNK):
            yield from map(self._item, found)
            after = found[-1].id

    def _item(self, source: PictureOrigin) -> Item:
        return Item(source.id, {}, partial(self._read, source), source.box)  # type: ignore[arg-type]  # list is invariant

    def _read(self, source: PictureOrigin) -> bytes:
        """Return a record's picture: as it was kept, else by its `_url`, else by its `_file`.

        Raises:
            ImageError: there is none that can be had.

        """
        if source.kept and (kept := records.original(self.context.db, self.job.collection, source.id)) is not None:
            return kept
        said = []
        for field, value in (("_url", source.url), ("_file", source.file)):
            if value is not None:
                found = self.context.pictures.read_many([{field: value}])[0]
                if not isinstance(found, ImageError):
                    return found
                said.append(str(found))
        raise ImageError("; ".join(said) or "the picture was not kept, and the record has neither _url nor _file")

    def _embedded(
        self, items: Iterable[Item], *, tell: bool = True
    ) -> Iterator[tuple[dict[str, NDArray[np.float32]], dict[str, str]]]:
        """Yield vectors, and why others have none, by id, in chunks."""
        vectors: dict[str, NDArray[np.float32]] = {}
        failed: dict[str, str] = {}
        threads = max(2, self.context.settings.model_threads, self.context.settings.fetch_workers)

        def fail(item: Item, reason: str) -> None:
            failed[item.id] = reason
            self._advance(1, tell=tell)
            if len(failed) >= _CHUNK:  # where nearly nothing can be read, batches are rare
                steps.store(self.context.db, self.job, {}, failed)
                failed.clear()

        with closing(Pipeline(self.context, self._plain, self._embedder, fail, threads)) as pipeline:
            for batch in pipeline.batches(items):
                self._embed(pipeline, batch, vectors, failed)
                self._advance(len(batch), tell=tell)
                if len(vectors) + len(failed) >= _CHUNK:
                    yield vectors, failed
                    vectors, failed = {}, {}
        if vectors or failed:
            yield vectors, failed

    def _advance(self, number: int, *, tell: bool) -> None:
        if tell:
            self._watch.advance(number)

    def _embed(
        self,
        pipeline: Pipeline,
        batch: Sequence[PreparedItem],
        vectors: dict[str, NDArray[np.float32]],
        failed: dict[str, str],
    ) -> None:
        try:
            rows = pipeline.embed(batch)
        except ModelFailed as error:
            if len(batch) == 1:
                failed[batch[0].item.id] = str(error)
                return
            for one in batch:  # so that only the one that the model cannot take goes without
                self._embed(pipeline, [one], vectors, failed)
        else:
            vectors.update((one.item.id, row) for one, row in zip(batch, rows, strict=True))


class Trial:
    """Makes the vectors of some records by another model, and stores nothing."""

    def __init__(self, context: Context, job: ModelChange) -> None:
        self._worker = _Worker(context, job, embedder_of(context, job.next), Watch())

    def embed(self, ids: Sequence[str]) -> tuple[int, dict[str, str]]:
        """Return how many vectors were made, and why the others have none, by id.

        Raises:
            Unavailable: the database is away, or the model is too busy.

        """
        return self._worker.tried(ids)
