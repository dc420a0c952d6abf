"""Two servers on one database: what one changes, the other goes by, however long it remembers things."""

from collections.abc import Iterator

import psycopg
import pytest

from app import create_app
from app.config import Settings
from app.domain.tokens import Scope
from app.services import aliases, collections, tokens
from app.services.context import Context
from tests.api.conftest import Api
from tests.support.waiting import eventually

_REMEMBERED_SECONDS = 300


def _server(url: str, home: str) -> Api:
    application = create_app(Settings(home=home, auth_cache_seconds=_REMEMBERED_SECONDS, job_workers=0), url)
    context: Context = application.extensions["lookalike"]
    eventually(lambda: context.bell.listens)
    return Api(application.test_client(), context, "c", "")


@pytest.fixture(scope="module")
def servers(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Api]]:
    made = [_server(module_database_url, str(tmp_path_factory.mktemp("home"))) for _ in range(2)]
    for name in ("c", "d"):
        collections.create(made[0].context, name, "photo")
    yield made[0], made[1]
    for one in made:
        one.context.close()


def status(api: Api, token: str, **headers: str) -> int:
    api.token = token
    return api.call("getRecordCount", {}, **headers).status_code


def comes(api: Api, wanted: int, token: str, **headers: str) -> None:
    eventually(lambda: status(api, token, **headers), lambda now: now == wanted)


def test_a_revoked_token_is_refused_by_both(servers: tuple[Api, Api]) -> None:
    here, there = servers
    token = tokens.create(here.context, [Scope.READ], None)
    assert [status(one, token.token) for one in servers] == [200, 200]
    tokens.revoke(here.context, token.id)
    assert status(here, token.token) == 401
    comes(there, 401, token.token)


def test_a_token_that_is_revoked_by_sql_or_loses_its_collection_is_refused_by_both(servers: tuple[Api, Api]) -> None:
    here, _ = servers
    made = [tokens.create(here.context, [Scope.READ], names) for names in (None, ["d"])]
    assert [status(one, token.token, collection_id="d") for one in servers for token in made] == [200] * 4
    with psycopg.connect(here.context.db.url, autocommit=True) as connection:
        connection.execute("UPDATE lookalike.tokens SET revoked_at = now() WHERE id = %s", (made[0].id,))
        connection.execute("DELETE FROM lookalike.token_collections WHERE token_id = %s", (made[1].id,))
    for one in servers:
        comes(one, 401, made[0].token)
        comes(one, 403, made[1].token, collection_id="d")


def test_what_is_told_while_nobody_listens_is_not_missed(servers: tuple[Api, Api]) -> None:
    here, there = servers
    token = tokens.create(here.context, [Scope.READ], None)
    assert [status(one, token.token) for one in servers] == [200, 200]
    with psycopg.connect(here.context.db.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        )
        eventually(lambda: not there.context.bell.listens)
        connection.execute("UPDATE lookalike.tokens SET revoked_at = now() WHERE id = %s", (token.id,))
    for one in servers:
        comes(one, 401, token.token)


def test_an_alias_and_a_collection_of_an_old_name_lead_to_the_new_one(servers: tuple[Api, Api]) -> None:
    here, there = servers
    token = tokens.create(here.context, [Scope.ADMIN], None).token
    collections.create(here.context, "first", "photo")
    aliases.set_all(here.context, {"live": "first"})
    assert [status(one, token, collection_id="live") for one in servers] == [200, 200]
    aliases.drop(here.context, "live")
    assert status(here, token, collection_id="live") == 404
    comes(there, 404, token, collection_id="live")
    collections.drop(here.context, "first")
    collections.create(here.context, "first", "colors")
    # Of another service now, which this path is not that of.
    comes(there, 400, token, collection_id="first")
