"""Settings act: each is set to another value than its default, and found where it does its work."""

import base64
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import requests
from annotated_types import Le
from gunicorn.glogging import Logger
from psycopg.pq import TransactionStatus
from sqlalchemy import make_url

from app import create_app, create_context
from app.cli.common import database, opened
from app.cli.job import serve_own_metrics
from app.cli.serve import Server
from app.cli.worker import BoundedWorker
from app.config import Settings
from app.config.sentences import variable_of
from app.db import gauges, indexes, schema
from app.db import tokens as token_table
from app.db.engine import Connection
from app.db.listing import Listing
from app.db.replicas import Replicated
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.domain.waiting import Awaited
from app.embedding.models import registry
from app.embedding.models.inventory import inventory
from app.metrics import Metrics
from app.services import collections, indexing, inserting, records, tokens, warming
from app.services.backups import Backups, folder_of
from app.services.context import Context
from app.services.exporting.files import forget_old
from app.services.importing.uploads import Uploads
from app.services.jobs import asking
from app.services.jobs.backup_job import BACKUP
from app.services.jobs.working import Worker, pace_of
from app.services.listing import export
from app.services.searchlog import SearchLog
from app.services.slowsearches import SlowSearches
from tests.api.conftest import Api, drawing, encoded, picture
from tests.server.conftest import free_port
from tests.support.checkpoints import with_own_code
from tests.support.waiting import build_ended, eventually

_TAXONOMY = """templates = ["{}"]
[[groups]]
name = "only"
choose = "one"
thresholds = { softmax = 0.5, sigmoid = 0.5 }
labels = ["one", "other"]
"""
# Those that are set for all at once; the others, of models and of the database's place, have tests of their own below.
_TOGETHER: dict[str, Any] = {
    "admin_database_url": "",  # filled in
    "host": "127.0.0.2",
    "port": 8123,
    "workers": 3,
    "threads": 3,
    "queue_requests": 17,
    "queue_seconds": 1.5,
    "client_seconds": 2.5,
    "shutdown_seconds": 7,
    "drain_seconds": 1.5,
    "log_level": "error",
    "log_format": "text",
    "metrics": "open",
    "pool_connections": 5,
    "pool_timeout_seconds": 3.5,
    "statement_timeout_ms": 12_345,
    "auth_cache_seconds": 0,
    "audit_days": 3,
    "max_batch": 3,
    "max_records": 4,
    "max_queries": 2,
    "max_pair_records": 1,
    "max_k": 50,
    "max_body_bytes": 200_000,
    "max_attributes_bytes": 1024,
    "unknown_parameters": "refuse",
    "public_url": "https://shop.example/pictures",
    "max_image_bytes": 5000,
    "max_image_pixels": 30_000,
    "files_root": "",
    "fetch_ports": "",
    "fetch_allow_private": True,
    "fetch_connect_timeout_seconds": 1.25,
    "fetch_timeout_seconds": 2.25,
    "fetch_max_redirects": 1,
    "fetch_workers": 3,
    "fetch_host_workers": 2,
    "fetch_retries": 7,
    "fetch_backoff_seconds": 0.5,
    "fetch_backoff_most_seconds": 5.5,
    "fetch_host_rate": 2.5,
    "fetch_requests": 6,
    "model_threads": 2,
    "model_queue_pictures": 9,
    "vector_cache_bytes": 0,
    "fashion_taxonomy": "",
    "index_rows": 0,
    "advised_index_bytes": 1,
    "log_searches": True,
    "search_log_rows": 2,
    "build_memory_mb": 33,
    "build_workers": 0,
    "ef_search": 77,
    "recall_target": 0.9,
    "recall_seconds": 0,
    "export_files": 1,
    "warm": ("all",),
    "backup_folder": "",
    "backups_kept": 1,
    "backup_hours": 3,
    "export_days": 0,
    "job_watchers": 3,
    "job_days": 2,
    "export_folder": "",
    "uploads_folder": "",
    "max_upload_bytes": 2048,
}


class _Pictures(BaseHTTPRequestHandler):
    """`/picture` is one; `/1` leads to it, `/2` to `/1`."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.send_response(200 if name == "picture" else 302)
        if name != "picture":
            self.send_header("Location", "/picture" if name == "1" else "/1")
        self.end_headers()
        if name == "picture":
            self.wfile.write(base64.b64decode(picture(1)))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    """The URL of a server of pictures on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pictures)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _shown(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s) AS value", (name,)).fetchone()
    return str(row["value"]) if row else ""


@dataclass
class Set:
    """A server whose settings are all set, in a collection of its own with three records."""

    api: Api
    pictures: str
    folder: Path

    @property
    def settings(self) -> Settings:
        return self.api.context.settings

    def shown(self, name: str) -> str:
        """A setting of PostgreSQL, on a connection that reads."""
        return self.api.context.db.read(
            lambda c: str(next(iter((c.execute(f"SHOW {name}").fetchone() or {}).values())))
        )

    def insert(self, **record: Any) -> str:
        """What is said of a record that is inserted."""
        return str(self.api.post("insert", {"records": [record]}))

    def said(self, method: str, body: Any) -> str:
        """What is said of a request."""
        return str(self.api.post(method, body)["status"])


def with_options(url: str, options: str) -> str:
    return make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def everything(module_database_url: str, pictures: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp("set")
    (folder / "taxonomy.toml").write_text(_TAXONOMY)
    drawing(2).save(folder / "2.png")
    values = _TOGETHER | {
        "home": folder / "home",
        "admin_database_url": with_options(module_database_url, "-cwork_mem=5MB"),
        "files_root": folder,
        "fetch_ports": pictures.rsplit(":", 1)[1],
        "fashion_taxonomy": folder / "taxonomy.toml",
        "export_folder": folder / "exported",
        "backup_folder": folder / "own-backups",
        "uploads_folder": folder / "uploaded",
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in values.items():
            patched.setenv(variable_of(name), str(value))
        settings = Settings()
    application = create_app(settings, module_database_url)
    context = application.extensions["lookalike"]
    made = collections.create(context, "all", "image_matching")
    token = tokens.create(context, [Scope.ADMIN], None).token
    api = Api(application.test_client(), context, made.name, token, "image_matching")
    for name in "abc":
        api.post("insert", {"records": [{"_id": name, "_base64": picture(ord(name))}]}, code=210)
    yield Set(api, pictures, folder)
    context.close()


def _records(count: int) -> dict[str, Any]:
    return {"records": [{"_id": str(number)} for number in range(count)]}


def _server(at: Set) -> Any:
    return Server(at.settings, "", None).cfg


def _made_worker(at: Set) -> Any:
    """gunicorn's worker, as it is made; it does not run."""
    cfg = _server(at)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gunicorn.workers.gthread.ThreadWorker.init_process", lambda _: None)
        worker = BoundedWorker(1, 0, [], Server(at.settings, "", None), 1, cfg, Logger(cfg))
        worker.init_process()
    worker.tmp.close()
    return worker


def _worker(at: Set, attribute: str) -> Any:
    return getattr(_made_worker(at), attribute)


def _download_places(at: Set) -> int:
    pool = _made_worker(at).get_thread_pool()
    pool.shutdown()
    return int(pool._places[Awaited.DOWNLOADS])


def _uploaded_apart(at: Set) -> bool:
    upload = Uploads.of(at.settings).begin()
    return at.settings.uploads_folder is not None and (at.settings.uploads_folder / f"part-0-{upload}").exists()


def _building(at: Set, name: str) -> str:
    """A setting of PostgreSQL, on a connection that builds an index."""
    with at.api.context.db.session() as connection:
        indexes._set_build_resources(connection, indexing.resources(at.settings))
        return _shown(connection, name)


def _revoked(at: Set) -> int:
    made = tokens.create(at.api.context, [Scope.READ], None)
    headers = {"Authorization": f"Token {made.token}"}
    assert at.api.call("getRecordCount", {}, **headers).status_code == 200
    token_table.revoke(at.api.context.db, made.id)
    return at.api.call("getRecordCount", {}, **headers).status_code


def _exported(at: Set, name: str) -> str:
    body = {"output_file_name": name, "delete_file_after": False}
    return str(at.api.post("allRecords", body)["status"]) + str((at.folder / "exported" / "all" / name).is_file())


def _backups_kept(at: Set) -> object:
    worker = Worker(at.api.context, pace_of(at.settings), [BACKUP])
    for _ in range(2):
        job, _made = asking.start(at.api.context, BACKUP, None, {})
        held = worker.take(job.id)
        assert held is not None
        worker.do(held)
    return len(Backups(folder_of(at.settings)).listed())


def _old_files_stay(at: Set) -> bool:
    """Whether the file of a job of the year 1970 is there after a sweep."""
    file = at.folder / "exported" / "all" / "job-0.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (0, 0))
    forget_old(at.api.context)
    left = file.exists()
    file.unlink(missing_ok=True)
    return left


def _log_rows(at: Set) -> int:
    """The number of searches that the log keeps, once its thread has written the last of four."""
    for k in range(1, 5):
        at.api.post("visualKNN", {"query_record": {"_id": "a"}, "k": k}, code=200)
    text = "SELECT k FROM lookalike.search_log ORDER BY at DESC"
    kept = eventually(
        lambda: at.api.context.db.read(lambda c: c.execute(text).fetchall()), lambda rows: {"k": 4} in rows
    )
    return len(kept)


def _index(at: Set) -> bool:
    """Whether the first inserts start a build in the background."""
    made = collections.create(at.api.context, "indexed", "image_matching")
    api = Api(at.api.client, at.api.context, made.name, at.api.token, at.api.prefix)
    for number in range(2):
        api.post("insert", {"records": [{"_id": str(number), "_base64": picture(number)}]}, code=210)
    return eventually(lambda: _valid(at.api.context, made))


def _valid(context: Context, collection: Collection) -> bool:
    return context.db.read(lambda c: indexes.is_valid(c, indexes.hnsw_name(collection)))


_FOUND: dict[str, tuple[Callable[[Set], Any], Any]] = {
    "host": (lambda at: _server(at).bind, ["127.0.0.2:8123"]),
    "port": (lambda at: _server(at).bind, ["127.0.0.2:8123"]),
    "workers": (lambda at: _server(at).workers, 3),
    "threads": (lambda at: _server(at).threads, 3),
    "shutdown_seconds": (lambda at: _server(at).graceful_timeout, 9),
    "drain_seconds": (lambda at: _server(at).graceful_timeout, 9),  # 7 seconds, and these
    "log_level": (lambda at: _server(at).loglevel, "error"),
    "log_format": (lambda at: at.settings.log_format, "text"),
    "metrics": (lambda at: at.api.client.get("/metrics").status_code, 200),
    "queue_requests": (lambda at: _worker(at, "_most"), 17),
    "queue_seconds": (lambda at: _worker(at, "_seconds"), 1.5),
    "client_seconds": (lambda at: _worker(at, "_patience"), 2.5),
    "pool_connections": (lambda at: at.api.context.db._pool.get_stats()["pool_max"], 5),
    "pool_timeout_seconds": (lambda at: at.api.context.db._pool.timeout, 3.5),
    "statement_timeout_ms": (lambda at: at.shown("statement_timeout"), "12345ms"),
    "ef_search": (lambda at: at.shown("hnsw.ef_search"), "77"),
    "recall_target": (lambda at: at.api.context.db.recall_target, 0.9),
    "recall_seconds": (lambda at: at.api.context.settings.recall_seconds, 0),
    "admin_database_url": (lambda at: _building(at, "work_mem"), "5MB"),
    "build_memory_mb": (lambda at: _building(at, "maintenance_work_mem"), "33MB"),
    "build_workers": (lambda at: _building(at, "max_parallel_maintenance_workers"), "0"),
    "home": (lambda at: at.api.context.tagger._folder == at.folder / "home" / "taxonomies", True),
    "auth_cache_seconds": (_revoked, 401),
    "audit_days": (lambda at: at.api.context.audit._days, 3),
    "max_batch": (lambda at: " 3" in at.said("insert", _records(4)), True),
    "max_records": (lambda at: " 4" in at.said("get", _records(5)), True),
    "max_queries": (lambda at: " 2" in at.said("visualKNNMulti", {"query_records": [{"_id": "a"}] * 3}), True),
    "max_pair_records": (
        lambda at: "more than 1 records match" in at.said("allNearDupPairs", {"radius": 1.0, "k": 5}),
        True,
    ),
    "max_k": (lambda at: "at most 50" in at.said("visualKNN", {"query_record": {"_id": "a"}, "k": 51}), True),
    "max_body_bytes": (lambda at: at.api.call("insert", {"records": ["x" * 200_000]}).status_code, 413),
    "max_attributes_bytes": (lambda at: "1024" in at.insert(_id="x", _base64=picture(1), text="x" * 1100), True),
    "unknown_parameters": (lambda at: "fitler: random has no such" in at.said("random", {"fitler": {}}), True),
    "public_url": (lambda at: "/pictures/v2" in str(at.api.client.get("/openapi.json").get_json()["servers"]), True),
    "max_image_bytes": (lambda at: "5000" in at.insert(_id="x", _base64="AAAA" * 2000), True),
    "max_image_pixels": (lambda at: "30000" in at.insert(_id="x", _base64=encoded(drawing(1, 200))), True),
    "files_root": (lambda at: "'code': 210" in at.insert(_id="file", _file="2.png"), True),
    "fetch_ports": (lambda at: "'code': 210" in at.insert(_id="url", _url=f"{at.pictures}/picture"), True),
    "fetch_allow_private": (lambda at: "'code': 210" in at.insert(_id="own", _url=f"{at.pictures}/1"), True),
    "fetch_max_redirects": (lambda at: "'code': 210" in at.insert(_id="far", _url=f"{at.pictures}/2"), False),
    "fetch_connect_timeout_seconds": (lambda at: at.api.context.pictures._policy.connect_timeout_seconds, 1.25),
    "fetch_timeout_seconds": (lambda at: at.api.context.pictures._policy.total_timeout_seconds, 2.25),
    "fetch_retries": (lambda at: at.settings.fetch.patience.retries, 7),
    "fetch_backoff_seconds": (lambda at: at.settings.fetch.patience.backoff_seconds, 0.5),
    "fetch_backoff_most_seconds": (lambda at: at.settings.fetch.patience.longest_seconds, 5.5),
    "fetch_host_rate": (lambda at: at.settings.fetch.patience.per_second, 2.5),
    "fetch_requests": (_download_places, 6),
    "fetch_workers": (lambda at: at.api.context.pictures._turns._pool._max_workers, 3),
    "fetch_host_workers": (lambda at: at.api.context.pictures._turns._per_host, 2),
    "model_queue_pictures": (lambda at: at.api.context.models.get("phash")._capacity, 9),
    "model_threads": (lambda at: at.api.context.models.get("efficientnet-lite0")._embedder._threads, 2),  # type: ignore[attr-defined]
    "vector_cache_bytes": (lambda at: at.api.context.vector_cache.figures().entries, 0),
    "fashion_taxonomy": (lambda at: [group.name for group in at.api.context.tagger._taxonomy.groups], ["only"]),
    "index_rows": (_index, True),
    "advised_index_bytes": (lambda _: "self-tuning" in {one.name for one in threading.enumerate()}, True),
    "log_searches": (lambda at: SearchLog in map(type, at.api.context.observers), True),
    "search_log_rows": (_log_rows, 2),
    "job_watchers": (lambda at: at.api.context.watchers._value, 3),
    "job_days": (lambda at: pace_of(at.settings).keep_days, 2),
    "uploads_folder": (_uploaded_apart, True),
    "max_upload_bytes": (lambda at: Uploads.of(at.settings)._max, 2048),
    "export_folder": (lambda at: _exported(at, "all.jsonl").endswith("True"), True),
    "export_files": (lambda at: "1 files" in _exported(at, "second.jsonl"), True),
    "export_days": (_old_files_stay, True),
    "backup_folder": (lambda at: folder_of(at.settings).name, "own-backups"),
    "warm": (lambda at: warming.at_start(at.api.context) is not None, True),
    "backups_kept": (_backups_kept, 1),
    "backup_hours": (lambda _: "backup-watch" in {one.name for one in threading.enumerate()}, True),
}


@pytest.mark.parametrize("name", _FOUND)
def test_a_setting_acts(name: str, everything: Set) -> None:
    assert getattr(everything.settings, name) != Settings.model_fields[name].get_default()
    look, expected = _FOUND[name]
    assert look(everything) == expected


def test_every_setting_is_found_where_it_acts() -> None:
    apart = {name for names in _APART.values() for name in names}
    assert set(_TOGETHER) <= set(_FOUND)
    assert set(_FOUND) | apart == set(Settings.model_fields)


# Settings with tests of their own, which follow.
_APART = {
    "test_models_run_where_and_in_what_the_settings_say": ("model_device", "model_dtype"),
    "test_code_of_a_model_is_run_where_the_setting_says": ("models_folder", "model_remote_code"),
    "test_a_model_is_fetched_where_the_setting_says": ("model_download",),
    "test_commands_open_the_database_as_the_settings_say": ("database_url", "auto_upgrade"),
    "test_the_embedded_database_listens_where_the_setting_says": ("embedded_port",),
    "test_a_pooler_is_believed": ("pooler",),
    "test_an_index_is_built_anew_from_the_share_that_is_set": ("reindex_share",),
    "test_exports_are_as_large_as_the_setting_says": ("export_bytes",),
    "test_a_server_does_so_many_jobs_as_the_setting_says": ("job_workers",),
    "test_metrics_have_the_port_that_is_set": ("metrics_port",),
    "test_a_worker_has_the_port_of_metrics_that_is_set": ("worker_metrics_port",),
    "test_origins_proxies_and_slow_searches_are_those_that_are_set": (
        "cors_origins",
        "trusted_proxies",
        "slow_search_seconds",
    ),
    "test_standbys_are_read_as_the_settings_say": ("read_database_url", "read_wait_ms"),
    "test_a_server_that_only_reads_notes_nothing": ("read_only",),
}


def test_the_tests_apart_are_there() -> None:
    assert set(_APART) <= set(globals())


def test_a_server_does_so_many_jobs_as_the_setting_says(
    settings: Callable[..., Settings], everything: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.Thread.start", lambda _: None)
    monkeypatch.setattr("sys.setswitchinterval", lambda _: None)
    application = everything.api.client.application
    for number, place in ((0, 0), (3, 0), (0, 1)):  # of several processes the first one does the jobs
        worker = SimpleNamespace(application=application, place=place)
        Server(settings(job_workers=number or place), "postgresql:///", None)._worker_started(worker)
        assert len(worker.jobs._workers) == number


def test_origins_proxies_and_slow_searches_are_those_that_are_set(
    settings: Callable[..., Settings], database_url: str
) -> None:
    chosen = settings(cors_origins="https://a.example", trusted_proxies="192.0.2.7", slow_search_seconds=2.5)
    application = create_app(chosen, database_url)
    context = application.extensions["lookalike"]
    asked = {"Origin": "https://a.example", "X-Forwarded-Proto": "https"}
    answer = application.test_client().get("/healthz", headers=asked)
    context.close()
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert [one._milliseconds for one in context.observers if isinstance(one, SlowSearches)] == [2500]
    assert [str(one) for one in chosen.trusted_proxies] == ["192.0.2.7/32"]


def test_standbys_are_read_as_the_settings_say(settings: Callable[..., Settings]) -> None:
    db = create_context(settings(read_database_url="host=a,b", read_wait_ms=250), "postgresql:///").db
    assert isinstance(db, Replicated)
    assert db._replicas.url == "host=a,b target_session_attrs=prefer-standby load_balance_hosts=random"
    assert db._wait_seconds == 0.25


def test_a_server_that_only_reads_notes_nothing(settings: Callable[..., Settings]) -> None:
    """What it answers has tests beside those of standbys."""
    context = create_context(settings(read_only=True), "postgresql:///")
    assert context.audit._days == 0
    context.lookup.uses.write()  # nothing, so that no database is asked


def test_models_run_where_and_in_what_the_settings_say(settings: Callable[..., Settings]) -> None:
    models = create_context(settings(model_device="cpu", model_dtype="fp16"), "postgresql:///").models
    assert models.get("efficientnet-lite0").runs_on == "cpu, float16"
    absent = create_context(settings(model_device="cuda:77"), "postgresql:///").models
    with pytest.raises(ConfigurationError, match="cuda:77"):
        absent.get("efficientnet-lite0")


@pytest.mark.usefixtures("modules")
def test_code_of_a_model_is_run_where_the_setting_says(settings: Callable[..., Settings], tmp_path: Path) -> None:
    folder = with_own_code(tmp_path / "own")
    chosen = settings(model_remote_code=True, models_folder=tmp_path).models
    assert registry.describe(str(folder), chosen).dimensions == 12
    assert str(folder) in [one.name for one in inventory(chosen)]
    with pytest.raises(InvalidRequest, match="LOOKALIKE_MODEL_REMOTE_CODE"):
        create_context(settings(), "postgresql:///").models.get(str(folder))
    made = create_context(settings(model_remote_code=True), "postgresql:///").models
    assert made.get(str(folder)).facts.dimensions == 12
    made.close()


def test_a_model_is_fetched_where_the_setting_says(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    for download, said in ((False, "fetches none by itself"), (True, "cannot be reached")):
        chosen = settings(model_download=download, models_folder=tmp_path)
        with pytest.raises(InvalidRequest, match=said):
            create_context(chosen, "postgresql:///").models.get("org/absent")


def test_the_embedded_database_listens_where_the_setting_says(settings: Callable[..., Settings]) -> None:
    port = free_port()
    with database(settings(embedded_port=port)) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting('listen_addresses'), current_setting('port')").fetchone()
    assert row == ("127.0.0.1", str(port))


def test_commands_open_the_database_as_the_settings_say(settings: Callable[..., Settings], empty_database: str) -> None:
    chosen = settings(database_url=empty_database, auto_upgrade=False)
    with database(chosen) as url:
        assert make_url(url).database == make_url(empty_database).database
    with pytest.raises(ConfigurationError, match="lookalike db upgrade"), opened(chosen):
        pass
    with opened(settings(database_url=empty_database)) as context:
        assert context.db.read(schema.is_current)


def test_a_pooler_is_believed(settings: Callable[..., Settings], database_url: str) -> None:
    context = create_context(settings(pooler="transaction"), database_url)
    context.db.open()
    within = context.db.read(lambda connection: connection.info.transaction_status)
    context.db.close()
    assert within == TransactionStatus.INTRANS


@pytest.mark.parametrize(("share", "rebuilt"), [(1.0, False), (0.1, True)])
def test_an_index_is_built_anew_from_the_share_that_is_set(
    share: float, rebuilt: bool, settings: Callable[..., Settings], database_url: str
) -> None:
    context = create_context(settings(reindex_share=share, index_rows=0), database_url)
    context.db.open()
    made = collections.create(context, "worn", "image_matching")
    inserting.insert(context, made, [{"_id": str(number), "_base64": picture(number)} for number in range(4)], Fields())
    eventually(lambda: _valid(context, made))  # a thread of its own builds it
    build_ended(context, made)
    records.delete(context, made, [{"_id": "0"}])
    assert (
        0.1 < eventually(lambda: indexes.deleted_share(context.db, made)) < 1
    )  # PostgreSQL's statistics come a little later
    build_ended(context, made)
    assert indexing.rebuild_after_deletions(context, made) == rebuilt
    context.close()


# Numbers that statements are given, or that are added to in one.
_OF_STATEMENTS = (
    "index_rows", "max_k", "max_pair_records", "max_records", "search_log_rows", "statement_timeout_ms", "ef_search",
    "audit_days", "job_days", "export_days", "build_workers",
)  # fmt: skip


def _largest(name: str) -> int:
    (most,) = (one.le for one in Settings.model_fields[name].metadata if isinstance(one, Le))
    assert isinstance(most, int)
    return most


def test_the_largest_numbers_that_settings_may_be_are_taken_by_the_database(
    settings: Callable[..., Settings], database_url: str
) -> None:
    """They are what PostgreSQL's integers hold, so that one more is one too many for them."""
    largest = {name: _largest(name) for name in _OF_STATEMENTS}
    application = create_app(settings(**largest, log_searches=True), database_url)
    context = application.extensions["lookalike"]
    made = collections.create(context, "all", "image_matching", capacity=2**63 - 1)
    token = tokens.create(context, [Scope.ADMIN], None).token
    api = Api(application.test_client(), context, made.name, token, "image_matching")
    for name in "ab":
        api.post("insert", {"records": [{"_id": name, "_base64": picture(ord(name))}]}, code=210)
    assert not indexing.build_if_needed(context, made)
    assert indexes.build_hnsw(context.db, made, indexing.resources(context.settings))
    window = {"from": 1, "k": largest["max_k"] - 1}
    assert api.post("visualKNN", {"query_record": {"_id": "a"}, **window}, code=200)["answer_count"] == 1
    assert api.post("find", {"filter": {}, "k": largest["max_k"]}, code=200)["answer_count"] == 2
    api.post("allNearDupPairs", {"radius": 1.0, "k": 5}, code=200)
    forget_old(context)
    assert gauges.read(context.db, 1, largest["index_rows"])
    eventually(lambda: context.db.one("SELECT count(*) AS n FROM lookalike.search_log"), lambda row: row == {"n": 1})
    context.close()


def test_exports_are_as_large_as_the_setting_says(everything: Set) -> None:
    settings = everything.settings.model_copy(update={"export_bytes": 3})
    context = replace(everything.api.context, settings=settings)
    made = collections.create(context, "exported", "image_matching")
    everything.api.post(
        "insert", {"records": [{"_id": "a", "_base64": picture(1)}]}, code=210, collection_id="exported"
    )
    listing = Listing(made, Fields.of(["*"]))
    with pytest.raises(InvalidRequest, match="3 bytes"):
        export(context, listing, everything.folder / "elsewhere" / "exported" / "a.jsonl")


def test_metrics_have_the_port_that_is_set(settings: Callable[..., Settings], everything: Set) -> None:
    port = free_port()
    server = Server(settings(metrics_port=port), "", None)
    end = server._serve_metrics(everything.api.context.metrics)
    try:
        found = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
        assert "lookalike_build_info" in found.text
    finally:
        end()
    assert Server(settings(), "", None)._serve_metrics(everything.api.context.metrics)() is None


def test_a_worker_has_the_port_of_metrics_that_is_set(settings: Callable[..., Settings], everything: Set) -> None:
    """It tells of its own process, and leaves what the database holds to servers."""
    port = free_port()
    context = replace(
        everything.api.context, settings=settings(worker_metrics_port=port, metrics_port=None), metrics=Metrics()
    )
    end = serve_own_metrics(context)
    try:
        found = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        assert "lookalike_build_info{" in found
        assert 'lookalike_stage_seconds_count{stage="embed"} 0.0' in found
        assert "\nlookalike_database_bytes " not in found
    finally:
        end()
    assert serve_own_metrics(replace(context, settings=settings()))() is None
