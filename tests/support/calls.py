"""Requests to a server process, and what most tests of one begin with."""

from typing import Any

import requests

from tests.api.conftest import picture
from tests.server.conftest import Server


def call(server: Server, token: str, method: str, body: Any = None, collection: str = "c") -> requests.Response:
    headers = {"Authorization": f"Token {token}", "collection-id": collection}
    return requests.post(f"{server.url}/photo/search/v2/{method}", json=body, headers=headers, timeout=60)


def prepared(server: Server, model: str = "phash") -> str:
    """Make the collection `c`, with a model that loads at once where it does not matter, and return a token."""
    server.json("collection", "create", "c", "--service", "photo", "--model", model)
    return str(server.json("token", "create", "--scope", "admin")["token"])


def insert(server: Server, token: str, *numbers: int) -> int:
    records = [{"_id": str(number), "_base64": picture(number), "n": number} for number in numbers]
    return int(call(server, token, "insert", {"records": records}).json()["status"]["code"])
