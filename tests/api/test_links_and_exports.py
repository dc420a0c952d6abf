"""Links that lead through proxies, and exports that stay on the server."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest

from app.api import errors
from app.api.blueprint import blueprint
from app.api.docs import docs
from app.db import collections
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.services import listing as service
from app.services.exporting.files import export_path
from tests.api.conftest import Api

PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Forwarded-Prefix": "/vision"}


@pytest.mark.parametrize("header", [{name: value} for name, value in PROXY.items()] + [PROXY, {"Via": "1.1 proxy"}])
def test_diff_links_through_a_proxy_are_relative_and_lead_on(api: Api, header: dict[str, str]) -> None:
    """What a proxy claims of its own address is anybody's to claim; `?page=…` leads through every one."""
    api.fill(3)
    url, seen = "allRecords?size=1", []
    for _ in range(3):
        got = api.call(url, {}, **{name.replace("-", "_"): value for name, value in header.items()}).get_json()
        seen += [record["_id"] for record in got["answer_records"]]
        for link in (got.get("next", "?"), got.get("previous", "?")):
            assert link.startswith("?")
        url = urljoin("allRecords?size=1", got.get("next", ""))
    assert seen == ["0", "1", "2"]


def test_links_without_a_proxy_are_whole_and_with_the_setting_the_public_ones(api: Api) -> None:
    from flask import Flask

    api.fill(3)
    link = api.post("allRecords?size=1", {})["next"]
    assert link.startswith("http://localhost/photo/search/v2/allRecords?page=2&size=1&cursor=")
    settings = api.context.settings.model_copy(update={"public_url": "https://shop.example/vision/"})
    flask = Flask("public")
    errors.register(flask)
    flask.register_blueprint(blueprint(replace(api.context, settings=settings), "photo/search", "photo"))
    flask.register_blueprint(docs(settings.public_url))
    public = replace(api, client=flask.test_client())
    for headers in ({}, {"X_Forwarded_Host": "evil.example"}, {"Host": "evil.example"}):
        link = public.call("allRecords?size=1", {}, **headers).get_json()["next"]
        assert link.startswith("https://shop.example/vision/photo/search/v2/allRecords?page=2&size=1&cursor=")
    page = public.client.get("/docs").get_data(as_text=True)
    assert 'href="/vision/docs/docs.css"' in page
    assert "https://shop.example/vision/" in page
    assert public.client.get("/openapi.json").get_json()["servers"][0]["url"].startswith("/vision/")


def test_an_export_on_the_server_needs_a_token_that_may_write(api: Api, new_token: Callable[..., str]) -> None:
    api.fill(2)
    api.token = new_token("read", api.collection)
    kept = {"output_file_name": "kept.jsonl", "delete_file_after": False}
    answer = api.call("allRecords", kept)
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (403, 403)
    assert not (api.context.settings.home / "exports" / api.collection).exists()
    assert api.call("allRecords", {"output_file_name": "kept.jsonl"}).status_code == 200
    api.token = new_token("write", api.collection)
    assert api.call("allRecords", kept).status_code == 200
    assert len((api.context.settings.home / "exports" / api.collection / "kept.jsonl").read_bytes().splitlines()) == 2


@pytest.mark.parametrize("limits", [{"export_files": 2}, {"export_bytes": 150}])
def test_the_export_folder_has_an_end(api: Api, tmp_path: Path, limits: dict[str, int]) -> None:
    """A file of the same name is replaced; one that would be too many leaves nothing behind."""
    api.fill(2)
    settings = api.context.settings.model_copy(update={"export_folder": tmp_path, **limits})
    narrow = replace(api.context, settings=settings)
    own = collections.get(narrow.db, api.collection)
    listing = service.of(own, Fields(everything=True), None)

    def export(name: str, text: str = "") -> int:
        return service.export(narrow, listing, export_path(narrow, replace(own, name=own.name + text), name))

    assert export("1") == export("1") == 2
    assert export("2", "other") == 2
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="the export folder holds all that it may"):
            export("3")
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["1", "2"]
    assert export("2", "other") == 2
