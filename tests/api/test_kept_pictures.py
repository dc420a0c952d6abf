"""Thumbnails and kept originals by URL, under the rights of a search."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from app.domain.tokens import Scope
from app.services import collections, duplicates, tokens
from tests.api.conftest import Api, picture

NewCollection = Callable[..., str]
_IDS = ["1", "a/b?c=ü&", "../x", "<b>"]


@pytest.fixture
def kept(api: Api, new_collection: NewCollection) -> Api:
    name = new_collection(keep_images=True)
    api.collection = name
    records = [{"_id": one, "_base64": picture(n)} for n, one in enumerate(_IDS)]
    api.post("insert", {"records": records}, code=210)
    return api


def get(api: Api, kind: str, token: str | None = None, **query: str) -> TestResponse:
    return api.client.get(
        f"/pictures/v1/{api.collection}/{kind}",
        query_string=query,
        headers={"Authorization": f"Token {token or api.token}"},
    )


def test_thumbnails_are_kept_for_good_by_their_content(kept: Api) -> None:
    headers = {"Authorization": f"Token {kept.token}", "collection-id": kept.collection}
    told = kept.client.post("/pictures/v1/versions", json={"records": [*_IDS, "none"]}, headers=headers)
    versions = told.get_json()["thumbnails"]
    assert set(versions) == set(_IDS)
    for one in _IDS:
        answer = get(kept, "thumbnail", id=one, v=versions[one])
        assert answer.content_type == "image/webp"
        assert hashlib.sha256(answer.data).hexdigest().startswith(versions[one])
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert set(answer.headers["Vary"].split(", ")) == {"Authorization", "Cookie", "Origin"}
        assert get(kept, "thumbnail", id=one, v="0").headers["Cache-Control"] == "private, no-cache"
    again = kept.client.get(
        f"/pictures/v1/{kept.collection}/thumbnail?id=1",
        headers={**headers, "If-None-Match": f'"{versions["1"]}"'},
    )
    assert (again.status_code, again.data) == (304, b"")


def test_originals_come_as_they_were_sent(kept: Api) -> None:
    for n, one in enumerate(_IDS):
        answer = get(kept, "original", id=one)
        assert answer.data == base64.b64decode(picture(n))
        assert answer.content_type == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_trash_shows_its_thumbnails(kept: Api) -> None:
    before = get(kept, "thumbnail", id=_IDS[1]).data
    collection = collections.get(kept.context, kept.collection)
    duplicates.remove(kept.context, collection, [_IDS[1]], "a test")
    (trashed,), _ = duplicates.trashed(kept.context, collection, 10)
    answer = get(kept, "trashed", number=str(trashed.number))
    assert (answer.data, answer.content_type) == (before, "image/webp")
    assert get(kept, "thumbnail", id=_IDS[1]).status_code == 404
    assert get(kept, "trashed", number=str(trashed.number + 1)).status_code == 404
    assert get(kept, "trashed", number="9" * 30).status_code == 404
    for wrong in ("", "-1", "x", "1.5"):
        assert get(kept, "trashed", number=wrong).get_json()["status"]["code"] == 402
    assert get(kept, "trashed", token="unknown", number="1").status_code == 401
    duplicates.restore(kept.context, collection, [_IDS[1]])
    assert get(kept, "trashed", number=str(trashed.number)).status_code == 404


def test_nothing_is_shown_that_is_not_there_or_not_allowed(api: Api, new_collection: NewCollection) -> None:
    api.fill(1)
    assert "not kept" in get(api, "original", id="0").get_json()["status"]["error_description"]
    for kind in ("thumbnail", "original"):
        assert get(api, kind, id="none").status_code == 404
        assert get(api, kind, id="\x00").status_code == 404
        assert get(api, kind).get_json()["status"]["code"] == 402
        assert get(api, kind, token="unknown", id="0").status_code == 401
    other = tokens.create(api.context, [Scope.READ], [new_collection()]).token
    assert get(api, "thumbnail", token=other, id="0").status_code == 403
    bare = new_collection(thumbnails=False)
    api.post("insert", {"records": [{"_id": "0", "_base64": picture(1)}]}, code=210, collection_id=bare)
    api.collection = bare
    assert "no thumbnail" in get(api, "thumbnail", id="0").get_json()["status"]["error_description"]
    api.collection = "none"
    assert get(api, "thumbnail", id="0").status_code == 404


def test_the_document_names_every_path(api: Api) -> None:
    told = api.client.get("/pictures/v1/openapi.json").get_json()
    rules = {one.rule for one in api.client.application.url_map.iter_rules() if one.rule.startswith("/pictures/v1")}
    named = {f"/pictures/v1{path}".replace("{name}", "<name>") for path in told["paths"]}
    assert named == rules - {"/pictures/v1/openapi.json"}
