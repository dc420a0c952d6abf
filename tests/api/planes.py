"""Records at known angles, and searches among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from app.db import loads
from app.db.records import NewRecord
from app.services import collections

if TYPE_CHECKING:  # the fixtures there place records, too
    from tests.api.conftest import Api

Json = Any


def place(api: Api, angles: dict[str, float], **more: str) -> None:
    """Store records at these angles; `more` are attributes of one of them each, as JSON text by its id."""
    collection = collections.get(api.context, api.collection)
    rows = []
    for number, (own, degrees) in enumerate(angles.items()):
        vector = np.zeros(collection.dimensions, np.float32)
        vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        attributes = {"n": number, "even": number % 2 == 0, "shelf": "low" if number < 10 else "high"}
        text = json.dumps(attributes)
        rows.append(NewRecord(own, f'{text[:-1]}, "odd": {more[own]}}}' if own in more else text, vector))
    loads.copy(api.context.db, collection, rows)


def ids(answer: Json) -> list[str]:
    return [one["_id"] for one in answer["answer_records"]]


def search(api: Api, code: int = 200, **body: Json) -> Json:
    return api.post("visualKNN", {"query_record": {"_id": "a00"}, "k": 30, **body}, code=code)


def walk(api: Api, method: str, **body: Json) -> list[str]:
    """Return the ids of all pages by token, one after the other."""
    seen: list[str] = []
    token: str | None = ""
    while token is not None:
        got = api.post(method, {**body, "page_token": token}, code=200)
        seen += ids(got)
        token = got.get("page_token")
    return seen
