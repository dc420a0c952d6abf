"""How many statements each method sends to the database: what is stored of a query record is read once at most."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.abc import Query

from app import create_app
from app.config import Settings
from app.db import collections as table
from app.db import indexes
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.context import Context
from tests.api.conftest import Api, drawing, encoded

ROWS = 60
BY_ID: dict[str, Any] = {"query_record": {"_id": "7"}}
SEVERAL: dict[str, Any] = {"query_records": [{"_id": "7"}, {"_id": "8"}, {"_id": "9"}]}
FEW: dict[str, Any] = {"filter": {"n": {"$lt": 20}}}
TAKEN: dict[str, Any] = {"filter": {"group": "{TAKE_FROM_QUERY}"}}
RECORDS: dict[str, Any] = {"records": [{"_id": str(n)} for n in range(10)]}
NEW = {"records": [{"_id": f"new{n}", "_base64": encoded(drawing(n + 100))} for n in range(3)]}
# A statement looks the record up by itself; where all is compared, it is read before.
COUNTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("by its id", "visualKNN", BY_ID, 1),
    ("by its id, all compared", "visualKNN", {**BY_ID, "exact": True}, 2),
    ("by its id, few match", "visualKNN", {**BY_ID, **FEW}, 1),
    ("by its id, few match, with attributes", "visualKNN", {**BY_ID, **FEW, "fields_to_return": ["n"]}, 1),
    ("by its id, a filter takes from it", "visualKNN", {**BY_ID, **TAKEN}, 2),
    ("one a product", "visualKNN", {**BY_ID, "product_field": "product"}, 2),
    ("one a product, a filter takes from it", "visualKNN", {**BY_ID, **TAKEN, "product_field": "product"}, 3),
    ("several", "visualKNNMulti", SEVERAL, 2),
    ("several, a filter takes from them", "visualKNNMulti", {**SEVERAL, **TAKEN}, 3),
    ("several by the least distance", "visualKNNMulti", {**SEVERAL, "aggregation": "min"}, 2),
    ("within a radius", "range", {**BY_ID, "radius": 20, **TAKEN}, 2),
    ("near duplicates", "nearDuplicates", BY_ID, 2),
    ("by tags", "visualTagsKNN", BY_ID, 3),
    ("by tags, a filter takes from it", "visualTagsKNN", {**BY_ID, **TAKEN}, 3),
    ("several by tags", "visualTagsKNNMulti", SEVERAL, 3),
    ("ranked", "visualRankRecords", {**BY_ID, **RECORDS}, 3),
    ("ranked, ids alone", "visualRankRecords", {**BY_ID, **RECORDS, "fields_to_return": ["_id"]}, 2),
    ("ranked by tags", "visualTagsRankRecords", {**BY_ID, **RECORDS}, 3),
    ("got", "get", RECORDS, 1),
    ("found", "find", FEW, 1),
    ("counted", "getRecordCount", {}, 1),
]


@pytest.fixture(scope="module")
def shop(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An indexed collection; what is known of tokens and collections is kept for five minutes."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), auth_cache_seconds=300)
    application = create_app(settings, module_database_url)
    context: Context = application.extensions["lookalike"]
    made = collections.create(context, "shop", "photo")
    api = Api(application.test_client(), context, made.name, tokens.create(context, [Scope.ADMIN], None).token)
    for start in range(0, ROWS, 10):
        records = [
            {"_id": str(n), "_base64": encoded(drawing(n)), "n": n, "group": n % 2, "product": n // 2, "tags": ["sale"]}
            for n in range(start, start + 10)
        ]
        api.post("insert", {"records": records}, code=210)
    indexes.build_hnsw(context.db, table.get(context.db, "shop"))
    context.lookup.forget("shop")
    yield api
    context.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of this thread, as they are sent."""
    texts: list[str] = []
    execute = psycopg.Cursor.execute
    own = threading.get_ident()

    def noted(self: psycopg.Cursor[Any], query: Query, *values: Any, **given: Any) -> psycopg.Cursor[Any]:
        # What a connection is told once, as another statement was planned otherwise on it, is no part of a method.
        if threading.get_ident() == own and not str(query).startswith("SET plan_cache_mode"):
            texts.append(str(query))
        return execute(self, query, *values, **given)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return texts


@pytest.mark.parametrize(("method", "body", "number"), [row[1:] for row in COUNTS], ids=[row[0] for row in COUNTS])
def test_a_method_sends_so_many_statements(
    shop: Api, sent: list[str], method: str, body: dict[str, Any], number: int
) -> None:
    # What the planner makes of a filter is kept, and each connection of the pool plans as these statements want.
    for _ in range(8):
        shop.post(method, {**body, "k": 5})
    sent.clear()
    got = shop.post(method, {**body, "k": 5})
    assert got["status"]["code"] < 300, got
    assert len(sent) == number, "\n---\n".join(sent)


def test_an_insert_sends_no_more_for_more_records(shop: Api, sent: list[str]) -> None:
    counts = []
    for records in (NEW["records"][:1], NEW["records"]):
        ids = {"records": [{"_id": record["_id"]} for record in records]}
        sent.clear()
        shop.post("insert", {"records": records}, code=210)
        counts.append(len(sent))
        sent.clear()
        shop.post("delete", ids, code=220)
        assert len(sent) == 1
    assert counts[0] == counts[1]
