"""The console's screen Collections as pages: who sees which, their facts, and what may be begun."""

import pytest
from werkzeug.test import TestResponse

from app.domain.browser import COOKIE
from app.domain.tokens import Scope
from app.services import aliases, collections, indexing, tokens
from app.ui.collections import size
from tests.api.conftest import Api


def asked(api: Api, path: str, token: str | None = None) -> TestResponse:
    client = api.client.application.test_client(use_cookies=False)
    return client.get(f"/console/collections{path}", headers={"Cookie": f"{COOKIE}={token or api.token}"})


def page(api: Api, path: str, token: str | None = None) -> str:
    answer = asked(api, path, token)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_facts_of_a_collection(api: Api) -> None:
    name = f"{api.collection}-facts"
    made = collections.create(api.context, name, "photo", product_field="sku", capacity=4, keep_images=True)
    aliases.set_all(api.context, {f"{name}-now": name})
    indexing.declare_field(api.context, made, "<price>")
    Api(api.client, api.context, name, api.token).fill(4)
    told = page(api, f"?c={name}")
    for part in (
        '<dt>Records</dt><dd>4 of 4<progress max="1" value="1.0" aria-label="How full it is: 100 %">',
        "<dt>Service</dt><dd>photo</dd>",
        "efficientnet-lite0, 256 numbers",
        "<dt>Product field</dt><dd>sku</dd>",
        f'<li class="chip"><span>{name}-now</span>',
        "<dt>Originals</dt><dd>kept</dd>",
        "99.0 % of the true neighbours",
        "without an index every record is compared",
        "<span>&lt;price&gt;</span>",
        'soft bad"> of 4</span>',
    ):
        assert part in told, part
    assert 'id="details"' not in page(api, "")
    assert f'<a href="?c={name}">' in page(api, "")


def test_a_token_sees_its_own_collections_and_what_it_may_begin(api: Api) -> None:
    other = collections.create(api.context, f"{api.collection}-other", "photo").name
    reader = tokens.create(api.context, [Scope.READ], [api.collection]).token
    shown = page(api, f"?c={api.collection}", reader)
    assert other not in shown
    assert 'id="actions"' not in shown
    assert asked(api, f"?c={other}", reader).status_code == 404
    writer = tokens.create(api.context, [Scope.WRITE], [api.collection]).token
    assert 'data-kind="field-index"' in page(api, f"?c={api.collection}", writer)


def test_without_a_collection_the_page_says_how_one_is_made(api: Api) -> None:
    gone = collections.create(api.context, f"{api.collection}-gone", "photo").name
    token = tokens.create(api.context, [Scope.READ], [gone]).token
    collections.drop(api.context, gone)
    shown = page(api, "", token)
    assert "No collection yet" in shown
    assert "lookalike collection create shop --service photo" in shown
    missing = asked(api, "?c=nowhere")
    assert missing.status_code == 404
    assert "nowhere" in missing.get_data(as_text=True)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (150 * 2**20, "150 MiB"),
        (2**42, "4.0 TiB"),
        (2**52, "4096.0 TiB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text
