"""The tables, in the order in which one leaves behind what the next one needs."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

from app.db import tokens as tokens_table
from app.domain.tokens import Scope
from app.services import tokens
from tests.bench import (
    console,
    duplicates,
    engines,
    facets,
    filtered,
    growth,
    importing,
    jobs,
    layers,
    loading,
    mapping,
    models,
    quality,
    recall,
    refined,
    serving,
    statements,
    stored_pairs,
    tagging,
)
from tests.bench.report import Table
from tests.bench.server import running
from tests.bench.serving import Scene
from tests.bench.setup import Setup
from tests.bench.vectors import Crops, crops

TABLES = (
    "models",
    "load",
    "imports",
    "quality",
    "tags",
    "duplicates",
    "filtered",
    "facets",
    "refined",
    "recall",
    "sql",
    "serving",
    "pictures",
    "layers",
    "jobs",
    "console",
    "map",
    "peers",
    "growth",
)
_PAGES = {"console": console.measure, "map": mapping.measure}
_PHOTOS = "bench-photos"
_CROPS = "bench-crops"
_TAGGED = "bench-tags"
_EXACT = "bench-duplicates"
_FILTERED = "bench-filtered"


def run(
    setup: Setup, only: Collection[str], wsgi: Callable[[], WSGIApplication], model_pictures: int = 500
) -> Iterator[Table]:
    """Yield the tables that are asked for, each as soon as it is measured.

    Args:
        setup: what is measured, and with what.
        only: names of `TABLES`.
        wsgi: makes the application in this process, for the table of layers.
        model_pictures: pictures that go through each model while its memory is watched.

    """
    if "models" in only:
        yield models.measure(setup, model_pictures)
    yield from _photos(setup, only)
    if "imports" in only:
        yield importing.measure(setup)
    yield from _own_collections(setup, only)
    if "jobs" in only:
        with setup.collection(_CROPS) as searched, setup.collection(_PHOTOS) as imported:
            yield jobs.measure(setup, searched, imported)
    yield from (measure(setup) for name, measure in _PAGES.items() if name in only)
    if "peers" in only:
        yield from engines.measure(setup)
    if "growth" in only:
        yield from growth.measure(setup)
    if {"recall", "sql", "serving", "pictures", "layers"} & set(only):
        with setup.collection(_CROPS) as collection:
            made = crops(setup, collection.model)
            filled = recall.fill(setup, collection, made)
            if "recall" in only:
                yield recall.measure(setup, filled, made)
            if "sql" in only:
                yield statements.measure(setup, filled, made)
            if {"serving", "pictures", "layers"} & set(only):
                yield from _served(setup, filled, made, only, wsgi)


def _photos(setup: Setup, only: Collection[str]) -> Iterator[Table]:
    if {"load", "quality"} & set(only):
        with setup.collection(_PHOTOS) as collection:
            if "load" in only:
                yield loading.measure(setup, collection)
            if "quality" in only:
                yield quality.measure(setup, collection)


def _own_collections(setup: Setup, only: Collection[str]) -> Iterator[Table]:
    """Yield the tables whose records have attributes of their own, or no index."""
    if "tags" in only:
        with setup.collection(_TAGGED) as collection:
            made = crops(setup, collection.model)
            yield tagging.measure(setup, recall.fill(setup, collection, made, tagging.attributes), made)
    if "duplicates" in only:
        with setup.collection(_EXACT) as collection:
            yield duplicates.measure(setup, collection, crops(setup, collection.model))
        with setup.collection(_EXACT) as collection:
            yield stored_pairs.measure(setup, collection, crops(setup, collection.model).stored)
    if {"filtered", "facets", "refined"} & set(only):
        with setup.collection(_FILTERED) as collection:
            made = crops(setup, collection.model)
            filled = filtered.fill(setup, collection, made)
            if {"facets", "refined"} & set(only):
                yield facets.measure(setup, filled)
            if "refined" in only:
                yield refined.measure(setup, filled, made)
            if "filtered" in only:
                yield from filtered.measure(setup, filled, made)


def _served(
    setup: Setup, filled: recall.Filled, made: Crops, only: Collection[str], wsgi: Callable[[], WSGIApplication]
) -> Iterator[Table]:
    with _scene(setup, filled) as scene:
        if "serving" in only:
            yield serving.by_id(setup, scene, made)
        if "pictures" in only:
            yield serving.by_picture(setup, scene)
        if "layers" in only:
            yield layers.measure(setup, scene, made, wsgi())


@contextmanager
def _scene(setup: Setup, filled: recall.Filled) -> Iterator[Scene]:
    """Start a server and make a token for the collection; both are gone at the end."""
    token = tokens.create(setup.context, [Scope.READ], [filled.collection.name], "bench")
    try:
        setup.tell("serving: starting a server")
        with running(setup.environment, setup.home / "server.log") as port:
            yield Scene(port, token.token, filled.collection)
    finally:
        tokens_table.revoke(setup.context.db, token.id)
