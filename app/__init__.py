"""Lookalike: a visual similarity search server on PostgreSQL and pgvector.

`create_app` is the only composition root: nothing else knows which parts are put together.
"""

from dataclasses import replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from app.version import __version__

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings
    from app.domain.searches import SearchObserver
    from app.services.context import Context
    from app.services.sharing import Sharing

__all__ = ["__version__", "create_app", "create_context"]


def create_context(settings: "Settings", database_url: str, sharing: "Sharing | None" = None) -> "Context":
    """Put the parts together that services work with; nothing is connected or loaded yet.

    Args:
        settings: the deployment's choices.
        database_url: the database.
        sharing: what the process shares with others of one server; None: it is alone.

    Raises:
        ConfigurationError: the fashion taxonomy cannot be read or is none.

    """
    from app.db import bell  # noqa: PLC0415  (importing the package must stay cheap: the CLI imports it)
    from app.db.conninfo import readable  # noqa: PLC0415
    from app.db.engine import Database  # noqa: PLC0415
    from app.db.replicas import Replicated, Standby  # noqa: PLC0415
    from app.domain.freshness import Positions  # noqa: PLC0415
    from app.embedding.fetch.sources import PictureSource  # noqa: PLC0415
    from app.embedding.models.batching import Models  # noqa: PLC0415
    from app.embedding.models.vector_cache import VectorCache  # noqa: PLC0415
    from app.embedding.tags.tagger import Tagger  # noqa: PLC0415
    from app.embedding.tags.taxonomy import read as read_taxonomy  # noqa: PLC0415
    from app.metrics import Metrics  # noqa: PLC0415
    from app.services.audit import Audit  # noqa: PLC0415
    from app.services.context import Context, Lookup  # noqa: PLC0415
    from app.services.limiting import Limiter  # noqa: PLC0415
    from app.services.sharing import ALONE  # noqa: PLC0415
    from app.services.traffic import Traffic  # noqa: PLC0415

    sharing = sharing or ALONE
    metrics = Metrics(counting=settings.metrics != "off", folder=sharing.metrics)
    taxonomy = read_taxonomy(settings.fashion_taxonomy)
    options: dict[str, Any] = {
        "pooler": settings.pooler,
        "connections": settings.pool_connections,
        "timeout_seconds": settings.pool_timeout_seconds,
        "statement_timeout_ms": settings.statement_timeout_ms,
        "ef_search": settings.ef_search,
        "recall_target": settings.recall_target,
        "metrics": metrics,
    }
    db: Database
    if settings.read_only:
        db = Standby(database_url, admin_url=settings.admin_database_url, wait_ms=settings.read_wait_ms, **options)
    elif settings.read_database_url is None:
        db = Database(database_url, admin_url=settings.admin_database_url, **options)
    else:
        db = Replicated(
            database_url,
            admin_url=settings.admin_database_url,
            replicas=readable(settings.read_database_url, "LOOKALIKE_READ_DATABASE_URL", writes=False),
            identity=sharing.identity,
            wait_ms=settings.read_wait_ms,
            positions=sharing.positions or Positions(),
            part=sharing.place if sharing.positions else 0,
            **options,
        )
    models = Models(
        settings.models,
        threads=settings.model_threads,
        queue_pictures=settings.model_queue_pictures,
        metrics=metrics,
    )
    limiter, public = Limiter(metrics), settings.public_url
    lookup = Lookup(db, settings.auth_cache_seconds, limiter, public, sharing, read_only=settings.read_only)
    hearing = bell.Bell(db)
    hearing.calls(bell.TOKENS, lookup.forget_tokens)
    hearing.calls(bell.COLLECTIONS, lookup.forget_collections)
    return Context(
        settings=settings,
        db=db,
        models=models,
        pictures=PictureSource(settings.files_root, settings.images, settings.fetch, settings.fetch_workers, metrics),
        vector_cache=VectorCache(settings.vector_cache_bytes),
        tagger=Tagger(models, taxonomy, settings.home / "taxonomies"),
        lookup=lookup,
        audit=Audit(db, 0 if settings.read_only else settings.audit_days),
        metrics=metrics,
        traffic=Traffic(metrics),
        bell=hearing,
        watchers=BoundedSemaphore(settings.job_watchers),
    )


def _observers(context: "Context") -> "tuple[SearchObserver, ...]":
    """Return those that are told of searches, as the settings have them."""
    from app.services.searchlog import SearchLog  # noqa: PLC0415
    from app.services.searchmetrics import SearchMetrics  # noqa: PLC0415
    from app.services.slowsearches import SlowSearches  # noqa: PLC0415

    settings = context.settings
    made: list[SearchObserver] = [SearchMetrics(context.metrics)] if context.metrics.counting else []
    if settings.log_searches and not settings.read_only:
        made.append(SearchLog(context.db, settings.search_log_rows))
    if settings.slow_search_seconds:
        made.append(SlowSearches(context.db, settings.slow_search_seconds))
    return tuple(made)


def create_app(settings: "Settings", database_url: str, sharing: "Sharing | None" = None) -> "Flask":
    """Return the WSGI application on a database whose schema is up to date.

    Args:
        settings: the deployment's choices.
        database_url: the database; `settings.database_url` is only a wish, the embedded one has a URL of its own.
        sharing: what this process shares with others that serve with it; None: it serves alone.

    """
    from app.api import cors, errors  # noqa: PLC0415
    from app.api.admin import admin  # noqa: PLC0415
    from app.api.blueprint import blueprint  # noqa: PLC0415
    from app.api.docs import docs  # noqa: PLC0415
    from app.api.duplicates import duplicates  # noqa: PLC0415
    from app.api.headers import completed  # noqa: PLC0415
    from app.api.health import health  # noqa: PLC0415
    from app.api.jobs import jobs  # noqa: PLC0415
    from app.api.limits import tell  # noqa: PLC0415
    from app.api.maps import maps  # noqa: PLC0415
    from app.api.metrics import metrics  # noqa: PLC0415
    from app.api.pictures import pictures  # noqa: PLC0415
    from app.api.proxies import Application, Proxies  # noqa: PLC0415
    from app.api.uploads import uploads  # noqa: PLC0415
    from app.api.watched import watch_requests  # noqa: PLC0415
    from app.domain.services import prefixes  # noqa: PLC0415
    from app.services import backing_up, expiring, gauges, operations, selftuning, warming  # noqa: PLC0415
    from app.services.readiness import warm_up  # noqa: PLC0415
    from app.services.watching import every  # noqa: PLC0415
    from app.ui.blueprint import console  # noqa: PLC0415

    context = create_context(settings, database_url, sharing)
    context = replace(context, observers=_observers(context))
    gauges.register(context)
    flask = Application("lookalike", Proxies(settings.trusted_proxies))
    flask.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    for prefix, service in prefixes().items():
        flask.register_blueprint(blueprint(context, prefix, service))
    for made in (
        health(context),
        metrics(context),
        jobs(context),
        uploads(context),
        duplicates(context),
        admin(context),
        pictures(context),
        maps(context),
        docs(settings.public_url),
        console(context),
    ):
        flask.register_blueprint(made)
    errors.register(flask)
    flask.after_request(completed)
    flask.after_request(tell)
    cors.allow(flask, settings.cors_origins)
    watch_requests(flask, context)
    flask.extensions["lookalike"] = context
    context.open()
    context.db.read_replicas()
    warm_up(context)
    operations.watch(context)
    if settings.read_only:
        return flask
    context.bell.open()
    expiring.watch(context)
    every(context, 10.0, "token-use", context.lookup.uses.write, "when tokens were used last was not noted")
    selftuning.watch(context)
    backing_up.watch(context)
    warming.at_start(context)
    return flask
