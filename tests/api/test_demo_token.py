"""The demo's token is kept from run to run, by its owner alone, and made anew once it is good no longer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.cli.demo import _token, _whole_token
from app.db import tokens as table
from app.domain.tokens import Scope
from app.services import tokens
from tests.api.conftest import Api


def test_the_demo_uses_one_token(api: Api) -> None:
    first = _token(api.context, api.collection)
    before = len(table.list_all(api.context.db))
    assert _token(api.context, api.collection) == first
    assert len(table.list_all(api.context.db)) == before
    kept = api.context.settings.home / f"{api.collection}.token"
    assert kept.stat().st_mode & 0o777 == 0o600
    principal = api.context.lookup.principal(first)
    assert principal is not None
    assert principal.scopes == {Scope.ADMIN}
    assert principal.collections == frozenset({api.context.lookup.collection(api.collection).id})


@pytest.mark.parametrize("content", ["", "no token", None])
def test_a_token_that_is_good_no_longer_is_replaced(api: Api, content: str | None) -> None:
    first = _token(api.context, api.collection)
    kept = api.context.settings.home / f"{api.collection}.token"
    if content is None:
        principal = api.context.lookup.principal(first)
        assert principal is not None
        table.revoke(api.context.db, principal.token_id)
        api.context.lookup._tokens.clear()
    else:
        kept.write_text(content)
    second = _token(api.context, api.collection)
    assert second != first
    assert api.context.lookup.principal(second) is not None
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_link_may_do_everything_where_nobody_else_is_concerned(api: Api) -> None:
    context = api.context
    assert context.settings.database_url is None
    token = _whole_token(context)
    assert token is not None
    assert _whole_token(context) == token
    principal = context.lookup.principal(token)
    assert principal is not None
    assert principal.scopes == {Scope.ADMIN}
    assert principal.collections is None
    (kept,) = [one for one in tokens.listed(context) if one["id"] == principal.token_id]
    assert timedelta(days=29) < kept["expires_at"] - datetime.now(UTC) <= timedelta(days=30)
    assert (context.settings.home / "console.token").stat().st_mode & 0o777 == 0o600
    narrow = context.lookup.principal(_token(context, api.collection))
    assert narrow is not None
    labels = {one["id"]: one["label"] for one in tokens.listed(context)}
    assert labels[principal.token_id] == "demo, console"
    assert labels[narrow.token_id] == f"demo, collection {api.collection}"


@pytest.mark.parametrize(
    "others",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"database_url": "postgresql://db/shop"},
        {"admin_database_url": "postgresql://db/shop"},
    ],
)
def test_the_link_may_not_where_somebody_is(api: Api, others: dict[str, str]) -> None:
    reached = replace(api.context, settings=api.context.settings.model_copy(update=others))
    before = len(tokens.listed(api.context))
    assert _whole_token(reached) is None
    assert len(tokens.listed(api.context)) == before
