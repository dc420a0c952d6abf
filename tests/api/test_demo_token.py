"""The demo's token is kept from run to run, by its owner alone, and made anew once it is good no longer."""

import pytest

from app.cli.demo import _token
from app.db import tokens as table
from app.domain.tokens import Scope
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
