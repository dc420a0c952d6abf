"""Requests of `/admin/v1`, whose answers are what its document says."""

from typing import Any

from openapi_schema_validator import OAS31Validator

from app.api.admin import document
from tests.api.conftest import Api

Json = dict[str, Any]
DOCUMENT = document()


def ask(api: Api, path: str, body: Any = None, status: int = 200, **headers: str) -> Json:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    sent.update({key.replace("_", "-"): value for key, value in headers.items()})
    sent = {key: value for key, value in sent.items() if value}
    answer = api.client.post(f"/admin/v1/{path}", json=body, headers=sent)
    got = answer.get_json()
    assert answer.status_code == status, got
    described = DOCUMENT["paths"][f"/{path}"]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
    OAS31Validator({**described, "components": DOCUMENT["components"]}).validate(got)
    named = DOCUMENT["components"]["schemas"][described["$ref"].rsplit("/", 1)[1]]["properties"]
    assert got.keys() <= named.keys()
    return dict(got)


def said(api: Api, path: str, body: Any, status: int = 400, **headers: str) -> str:
    return str(ask(api, path, body, status, **headers)["status"]["error_description"])
