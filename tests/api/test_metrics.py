"""Metrics: each series begins at 0, moves when its thing happens, has bounded labels, and is read by who may."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import requests
from flask.testing import FlaskClient
from psycopg import sql
from sqlalchemy import make_url

from app import create_app
from app.api.watched import reason_of
from app.config import Settings
from app.db import gauges as gauge_table
from app.db import indexes
from app.db.loader import query
from app.domain import statuses
from app.domain.searches import Entry
from app.domain.tokens import Scope
from app.metrics import Metrics, families
from app.metrics.families import FAMILIES, Family, Kind
from app.services import collections, gauges, tokens
from app.services.context import Context
from app.services.gauges import Gauges
from app.services.jobs import asking
from app.services.jobs.index_jobs import INDEX
from app.services.searchmetrics import SearchMetrics
from tests.api.conftest import Api, picture
from tests.server.conftest import free_port
from tests.support.databases import Databases
from tests.support.replicas import replica
from tests.support.scraping import Series, key, parsed, scraped
from tests.support.waiting import eventually

# What only the server's process has, whose own test is in tests/server.
OF_THE_PROCESS = {families.THREADS, families.THREADS_BUSY, families.REQUESTS_WAITING}


def named(family: Family) -> str:
    return family.full_name + "_count" * (family.kind is Kind.HISTOGRAM)


def test_every_series_that_can_be_named_begins_at_0(app_context: tuple[FlaskClient, Context]) -> None:
    fresh = scraped(Metrics())
    pushed = {family for family in FAMILIES if not family.read}
    by_model = {families.MODEL_BATCHES, families.MODEL_PICTURES, families.MODEL_BATCH_SECONDS}
    of_requests = {families.REQUESTS, families.REQUEST_SECONDS, families.REFUSALS}
    for family in pushed - by_model - of_requests:
        values = [value for (name, _), value in fresh.items() if name == named(family)]
        assert values, family.name
        assert set(values) == {0.0}, family.name
    now = scraped(app_context[1].metrics)
    for reason in ("unauthorized", "service_unavailable", "unknown_error", "hard_capacity_exceeded", "storage_full"):
        assert key(families.REFUSALS, reason=reason) in now
    asked = {"service": "photo", "method": "visualKNN", "status": "200", "code": "200"}
    assert key(families.REQUESTS, **asked) in now
    assert key(families.REQUESTS, **asked | {"service": "homedecor", "method": "insert", "code": "210"}) in now
    assert key(families.REQUEST_SECONDS, method="jobs") in now
    assert key(families.REQUEST_SECONDS, method="POST /jobs/v1/import") not in now, "the parts of the server as a whole"
    assert not any(name.endswith("_created") for name, _ in now)
    states = {dict(labels)["state"] for name, labels in now if name == families.JOBS.full_name}
    assert {"queued", "running", "failed", "done"} <= states


def test_every_family_is_in_a_scrape_with_what_it_tells(app_context: tuple[FlaskClient, Context]) -> None:
    text = app_context[1].metrics.exposed("")[0].decode()
    for family in FAMILIES:
        name = family.full_name
        assert f"# HELP {name} {family.text}" in text
        assert f"# TYPE {name} {family.kind}" in text
    assert "lookalike_process_resident_memory_bytes" in text
    now = parsed(text)
    for family in set(FAMILIES) - OF_THE_PROCESS:
        if {"collection", "model", "replica"} & set(family.labels):
            continue  # there are none yet
        assert any(name == named(family) for name, _ in now), family.name


def test_buckets_reach_from_a_millisecond_to_half_a_minute() -> None:
    now = scraped(Metrics())
    bounds = [
        float(dict(labels)["le"])
        for name, labels in now
        if name == "lookalike_stage_seconds_bucket" and dict(labels)["stage"] == "sql"
    ]
    assert (min(bounds), sorted(bounds)[-2]) == (0.001, 30.0)


def test_requests_are_counted_by_what_became_of_them(api: Api, moved: Callable[..., float]) -> None:
    api.fill(3)
    api.post("visualKNN", {"query_record": {"_id": "1"}, "k": 2}, code=200)
    api.post("visualKNN", {"query_record": {"_id": "1"}, "k": -2}, code=402)
    api.post("visualKNN", {"query_record": {"_id": "nobody"}}, code=403)
    asked = {"service": "photo", "method": "visualKNN"}
    assert moved(families.REQUESTS, **asked, status="200", code="200") == 1
    assert moved(families.REQUESTS, **asked, status="400", code="402") == 1
    assert moved(families.REQUESTS, **asked, status="422", code="403") == 1
    assert moved(families.REQUESTS, service="photo", method="insert", status="200", code="210") == 1
    assert moved(families.REQUEST_SECONDS, method="visualKNN") == 3
    assert moved(families.REFUSALS, reason="aborted_by_error") == 1
    assert moved(families.REFUSALS, reason="wrong_query_record") == 1
    api.client.get("/nowhere/at/all")
    assert moved(families.REQUESTS, service="unknown", method="unknown", status="404", code="404") == 1
    assert moved(families.REFUSALS, reason="method_not_found") == 1


def test_an_answer_that_is_streamed_is_timed_to_its_end(api: Api, moved: Callable[..., float]) -> None:
    api.fill(2)
    answer = api.call("allRecords", {})
    assert answer.get_json()["answer_count"] == 2
    answer.close()
    assert moved(families.REQUEST_SECONDS, method="allRecords") == 1


def test_failures_to_show_a_token_are_counted(
    api: Api, moved: Callable[..., float], new_token: Callable[..., str]
) -> None:
    api.call("getRecordCount", {}, Authorization="")
    api.call("getRecordCount", {}, Authorization="Token nobody")
    api.client.post("/console/sign-in", data={"token": "nobody"}, headers={"Origin": "http://localhost"})
    api.call("insert", {"records": []}, Authorization=f"Token {new_token('read')}")
    assert [moved(families.AUTH_FAILURES, reason=one) for one in families.AUTH_REASONS] == [1, 2, 1]
    assert moved(families.REFUSALS, reason="console") == 1


def test_stages_models_and_the_cache_are_counted(api: Api, moved: Callable[..., float]) -> None:
    api.post("insert", {"records": [{"_id": "new", "_base64": picture(7_001)}]}, code=210)
    for stage in ("decode", "embed", "sql", "write"):
        assert moved(families.STAGE_SECONDS, stage=stage) >= 1, stage
    assert moved(families.STAGE_SECONDS, stage="fetch") == 0
    assert moved(families.MODEL_BATCHES, model="efficientnet-lite0") == 1
    assert moved(families.MODEL_PICTURES, model="efficientnet-lite0") == 1
    assert moved(families.MODEL_BATCH_SECONDS, model="efficientnet-lite0") == 1
    assert (moved(families.CACHE_MISSES), moved(families.CACHE_HITS)) == (1, 0)
    api.post("visualKNN", {"query_record": {"_base64": picture(7_001)}}, code=200)
    assert (moved(families.CACHE_MISSES), moved(families.CACHE_HITS)) == (1, 1)
    assert moved(families.MODEL_PICTURES, model="efficientnet-lite0") == 1, "it was remembered"
    assert moved(families.POOL_REQUESTS) > 2


def test_downloads_are_counted_by_what_came_of_them(api: Api, moved: Callable[..., float]) -> None:
    refused = {"_id": "u", "_url": "http://127.0.0.1:9/none.png"}  # a private address, which is not fetched from
    api.post("insert", {"records": [refused]})
    assert moved(families.FETCHES, outcome="failed") == 1
    assert moved(families.STAGE_SECONDS, stage="fetch") == 1


def test_searches_are_counted_by_their_way(api: Api, moved: Callable[..., float]) -> None:
    api.fill(4)
    api.post("visualKNN", {"query_record": {"_id": "1"}, "filter": {"n": {"$gte": 1}}}, code=200)
    api.post("range", {"query_record": {"_id": "1"}, "radius": 9}, code=200)
    assert moved(families.SEARCHES, way="exact") == 2
    counts = SearchMetrics(api.context.metrics)
    for copies, end in ((True, 10), (False, 900), (False, 10)):
        counts.searched(_entry("index, then exact", copies=copies, end=end))
    counts.searched(_entry("index", compared=30))
    assert moved(families.ROWS_COMPARED) == 30
    assert moved(families.SEARCHES, way="index") == 1
    assert moved(families.SEARCHES, way="index_then_exact") == 3
    assert [moved(families.SEARCH_FALLBACKS, reason=one) for one in families.FALLBACKS] == [1, 1, 1]


def _entry(way: str, **given: Any) -> Entry:
    return Entry(datetime.now(UTC), 1, 1, "visualKNN", None, None, 10, 10, 1.0, way, **given)


def test_what_the_database_holds_is_read(api: Api) -> None:
    api.fill(5)
    with api.context.db.session() as connection:
        connection.execute("UPDATE lookalike.collections SET capacity = 77 WHERE name = %s", (api.collection,))
    asking.start(api.context, INDEX, api.context.lookup.collection(api.collection), {})

    def analysed() -> Series:
        # What the connection of the insert counted may come after an ANALYZE, and is added to what that found.
        with api.context.db.session() as connection:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(_table(api)))
        return _fresh(api.context)

    now = eventually(analysed, lambda found: found[key(families.RECORDS, collection=api.collection)] == 5)
    assert now[key(families.CAPACITY, collection=api.collection)] == 77
    assert now[key(families.BYTES, collection=api.collection)] > 8192
    assert now[key(families.INDEX_MISSING, collection=api.collection)] == 0
    assert now[key(families.JOBS, kind="index", state="queued")] >= 1
    assert now[key(families.JOB_OLDEST)] > 0
    assert now[key(families.DATABASE_UP)] == 1
    assert now[key(families.DATABASE_CONNECTIONS)] >= 1
    assert now[key(families.DATABASE_CONNECTIONS_MOST)] >= 20
    assert now[key(families.SHARED_BUFFERS)] >= 2**20
    assert now[key(families.DATABASE_BYTES)] > 2**20


def test_the_age_of_backups_is_told(api: Api) -> None:
    """The latest counts, and of those that were verified the latest that held what it should."""
    hour = 3600
    note = (
        "INSERT INTO lookalike.backups (name, place, begun_at, ended_at, bytes, records, verified_at, differences)"
        " VALUES (%s, 'here', to_timestamp(%s), now(), %s, 1, to_timestamp(%s), %s)"
    )
    assert _fresh(api.context)[key(families.BACKUP_AT)] == 0
    with api.context.db.session() as connection:
        connection.execute(note, ("good", hour, 10, 2 * hour, []))
        connection.execute(note, ("bad", 3 * hour, 20, 4 * hour, ["a table is missing", "another, too"]))
        connection.execute(note, ("latest", 5 * hour, 30, None, []))
    try:
        now = _fresh(api.context)
        assert now[key(families.BACKUP_AT)] == 5 * hour
        assert now[key(families.BACKUP_VERIFIED_AT)] == 2 * hour
        assert now[key(families.BACKUP_DIFFERENCES)] == 2
        assert now[key(families.BACKUP_BYTES)] == 30
    finally:
        with api.context.db.session() as connection:
            connection.execute("DELETE FROM lookalike.backups")


def test_replicas_are_told_with_how_far_they_are_behind(api: Api) -> None:
    """What streams and confirms what it has replayed is a replica, by the protocol of replication."""
    before = _fresh(api.context)
    assert before[key(families.REPLICAS)] == 0
    with replica(api.context.db.url, "nearby") as confirm:
        api.fill(3)
        confirm(behind=1 << 20)
        behind = key(families.REPLICA_LAG_BYTES, replica="nearby")
        now = eventually(lambda: _fresh(api.context), lambda found: behind in found)
        assert now[key(families.REPLICAS)] == 1
        assert now[behind] >= 1 << 20
        assert now[key(families.REPLICA_LAG_SECONDS, replica="nearby")] >= 0


def _table(api: Api) -> sql.Identifier:
    return sql.Identifier("lookalike", api.context.lookup.collection(api.collection).records_table)


@pytest.fixture(autouse=True)
def all_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every collection has a label of its own: those of all tests so far are in this database."""
    monkeypatch.setattr("app.services.gauges.MOST_COLLECTIONS", 10_000)


def _fresh(context: Context) -> Series:
    """Return the figures as they are now: the context's own are remembered for 15 s."""
    metrics = Metrics()
    metrics.source(Gauges(context).readings)
    return scraped(metrics)


def test_an_index_tells_its_size_and_what_was_read_of_it(new_collection: Callable[..., str], api: Api) -> None:
    name = new_collection()
    own = api.context.lookup.collection(name)
    indexes.build_hnsw(api.context.db, own)
    with api.context.db.session() as connection:
        connection.execute(
            "INSERT INTO lookalike.index_recall"
            " (index_name, collection_id, generation, target, effort, effort_deep, effort_matches, recall_10,"
            " recall_100, queries, rows, seconds, measured_at)"
            " VALUES (%s, %s, 1, .99, 60, 60, 60, .991, .985, 9, 9, 1, now())",
            (f"{own.records_table}_hnsw", own.id),
        )
        connection.execute(
            "INSERT INTO lookalike.duplicate_scans (collection_id, generation, radius) VALUES (%s, 1, 5.0)", (own.id,)
        )
    now = _fresh(api.context)
    assert now[key(families.INDEX_BYTES, collection=name)] > 0
    assert now[key(families.INDEX_ROWS, collection=name)] == 0
    for source in ("memory", "disk"):
        assert now[key(families.INDEX_BLOCKS, collection=name, source=source)] >= 0
    assert now[key(families.RECALL, collection=name, neighbours="10")] == 0.991
    assert now[key(families.RECALL, collection=name, neighbours="100")] == 0.985
    assert now[key(families.RECALL_AT, collection=name)] > 1.7e9
    assert now[key(families.DUPLICATE_PAIRS, collection=name)] == 0
    assert now[key(families.INDEX_OUTGROWS)] == 0


def test_collections_beyond_the_largest_are_other(api: Api, new_collection: Callable[..., str]) -> None:
    api.fill(3)
    empty = [new_collection() for _ in range(3)]
    with api.context.db.session() as connection:
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(_table(api)))
    found = gauge_table.read(api.context.db, 1, 10_000)
    labels = {one.label for one in found if one.gauge == "records"}
    assert len(labels) == 2
    assert "other" in labels
    assert not labels & set(empty)
    whole = gauge_table.read(api.context.db, 1_000_000, 10_000)
    assert sum(one.value for one in whole if one.gauge == "records") == sum(
        one.value for one in found if one.gauge == "records"
    ), "nothing is lost in other"
    missing = gauge_table.read(api.context.db, 1, 0)
    assert sum(one.value for one in missing if one.gauge == "index_missing") >= 3


def test_figures_are_remembered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    before = gauge_table.read

    def counted(*given: Any) -> Any:
        reads.append(given)
        return before(*given)

    monkeypatch.setattr(gauge_table, "read", counted)
    source = Gauges(api.context)
    for _ in range(5):
        list(source.readings())
    assert len(reads) == 1


@pytest.mark.usefixtures("on_the_coordinator")
def test_figures_of_the_database_read_no_record(api: Api) -> None:
    """However many records there are, a scrape reads the catalogue.

    In one transaction, where PostgreSQL tells what this transaction itself has scanned: what others count comes late.
    """
    api.fill(10)
    table = api.context.lookup.collection(api.collection).records_table
    scans = (
        "SELECT sum(pg_stat_get_xact_numscans(c.oid))::integer AS scans"
        " FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid"
        " WHERE coalesce(i.indrelid, c.oid)::regclass::text LIKE 'lookalike.records%'"
    )
    figures = query("gauges", "now").render(), {"most": gauges.MOST_COLLECTIONS, "index_rows": 10_000}
    with api.context.db.session() as connection, connection.transaction():
        connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # each counts for itself
        assert connection.execute(scans).fetchone() == {"scans": 0}
        assert connection.execute(*figures).fetchall()
        assert connection.execute(scans).fetchone() == {"scans": 0}
        connection.execute(sql.SQL("SELECT FROM lookalike.{} LIMIT 1").format(sql.Identifier(table)))
        assert connection.execute(scans).fetchone() == {"scans": 1}, "a record that is read would be seen"


# Who may read them, where, and when the database is away.


@pytest.fixture(scope="module")
def doomed(
    databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FlaskClient, Context, str]]:
    """An application whose database a test may close."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), auth_cache_seconds=0, pool_timeout_seconds=0.5, job_workers=0
    )
    with databases.copy(template) as url:
        application = create_app(settings, url)
        context: Context = application.extensions["lookalike"]
        yield application.test_client(), context, url
        context.close()


def get(client: FlaskClient, token: str | None) -> Any:
    return client.get("/metrics", headers={} if token is None else {"Authorization": f"Bearer {token}"})


def test_a_token_that_administers_everything_may_read_them(
    app_context: tuple[FlaskClient, Context], api: Api, new_token: Callable[..., str]
) -> None:
    client, context = app_context
    answer = get(client, tokens.create(context, [Scope.ADMIN], None).token)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.headers["Cache-Control"] == "no-store"
    assert key(families.DATABASE_UP) in parsed(answer.get_data(as_text=True))
    refused = [None, "nobody", new_token("read"), new_token("write"), new_token("admin", api.collection)]
    answers = [get(client, token) for token in refused]
    assert [one.status_code for one in answers] == [401, 401, 403, 403, 403]
    assert all("lookalike_" not in one.get_data(as_text=True) for one in answers)
    assert client.post("/metrics").status_code == 405


def test_the_form_is_the_one_that_a_scraper_prefers(app_context: tuple[FlaskClient, Context]) -> None:
    text, media_type = app_context[1].metrics.exposed("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_it_is_compressed_where_that_is_taken(app_context: tuple[FlaskClient, Context]) -> None:
    client, context = app_context
    admin = tokens.create(context, [Scope.ADMIN], None).token
    sent = {"Authorization": f"Bearer {admin}", "Accept-Encoding": "gzip"}
    answer = client.get("/metrics", headers=sent)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert key(families.DATABASE_UP) in parsed(gzip.decompress(answer.data).decode())
    assert len(answer.data) < len(get(client, admin).data) / 5


def test_a_scrape_while_the_database_is_away_answers_what_it_has(doomed: tuple[FlaskClient, Context, str]) -> None:
    client, context, url = doomed
    collections.create(context, "kept", "photo", "phash")
    admin, stranger = (tokens.create(context, scopes, None).token for scopes in ([Scope.ADMIN], [Scope.ADMIN]))
    assert parsed(get(client, admin).get_data(as_text=True))[key(families.DATABASE_UP)] == 1
    server, name = make_url(url).set(database="postgres"), sql.Identifier(str(make_url(url).database))
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as administrator:
        administrator.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (make_url(url).database,)
        )
        try:
            source = Gauges(context, fresh_seconds=0)
            assert [one.value for one in source.readings()] == [0.0], "it never read anything"
            answer = get(client, admin)
            assert answer.status_code == 200, answer.get_data(as_text=True)
            now = parsed(answer.get_data(as_text=True))
            assert key(families.RECORDS, collection="kept") in now, "as it was read last"
            assert now[key(families.REFUSALS, reason="service_unavailable")] >= 0
            assert get(client, stranger).status_code == 503, "nobody knows whether this token may"
        finally:
            administrator.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def test_they_are_open_or_off_by_setting(doomed: tuple[FlaskClient, Context, str], tmp_path: Any) -> None:
    for setting, expected in (("open", 200), ("off", 404)):
        settings = Settings(home=tmp_path, metrics=setting, job_workers=0)
        application = create_app(settings, doomed[2])
        client, context = application.test_client(), application.extensions["lookalike"]
        try:
            assert client.get("/v2/ping").status_code == 200
            answer = client.get("/metrics")
            assert answer.status_code == expected
            assert context.metrics.counting == (setting == "open")
            counted = scraped(context.metrics)
            assert bool(counted) == (setting == "open"), "off counts nothing"
        finally:
            context.close()


def test_they_are_on_a_port_of_their_own() -> None:
    metrics, port = Metrics(), free_port()
    metrics.count(families.SEARCHES, "index")
    end = metrics.serve("127.0.0.1", port)
    try:
        found = parsed(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)
        assert found[key(families.SEARCHES, way="index")] == 1
    finally:
        end()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=1)


def test_statuses_have_reasons_of_their_own() -> None:
    errors = [one for one in vars(statuses).values() if isinstance(one, statuses.Status) and one.http.value >= 400]
    texts = {one.text for one in errors}
    assert len({reason_of(one) for one in errors}) == len(texts)
