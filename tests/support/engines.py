"""Servers of other engines for tests: they answer as their documentation says, page by page, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Answer = tuple[int, Json, dict[str, str]]


@dataclass
class Call:
    """A request: its path, what its query and its body say, and its headers."""

    path: str
    query: dict[str, str]
    body: Json
    headers: dict[str, str]


@dataclass
class Engine:
    """A server: `answer` answers each request; what it was asked is in `calls`."""

    answer: Callable[[Call], Answer | Json]
    calls: list[Call] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(answer: Callable[[Call], Answer | Json]) -> Iterator[Engine]:
    """Serve until the block ends."""
    engine = Engine(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else {}
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            call = Call(parts.path, query, body, {name.lower(): value for name, value in self.headers.items()})
            engine.calls.append(call)
            made = engine.answer(call)
            status, told, headers = made if isinstance(made, tuple) else (200, made, {})
            text = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        engine.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()


def qdrant(points: list[Json], vectors: Json, key: str | None = None) -> Callable[[Call], Answer | Json]:
    """Answer as Qdrant does: `GET /collections/NAME`, and `POST …/points/scroll` by ascending id."""

    def answer(call: Call) -> Answer | Json:
        if key is not None and call.headers.get("api-key") != key:
            return 401, {"status": {"error": "Must provide an API key or an Authorization bearer token"}}, {}
        if not call.path.startswith("/collections/shop"):
            return 404, {"status": {"error": "Not found: Collection `x` doesn't exist!"}, "time": 0.0}, {}
        if call.path == "/collections/shop":
            params = {"vectors": vectors, "shard_number": 1}
            return {"result": {"status": "green", "points_count": len(points), "config": {"params": params}}}
        begin = next(
            (place for place, one in enumerate(points) if one["id"] == call.body.get("offset")),
            0,
        )
        some = points[begin : begin + call.body["limit"]]
        after = points[begin + len(some)]["id"] if begin + len(some) < len(points) else None
        shown = [one if call.body["with_vector"] else {**one, "vector": None} for one in some]
        return {"result": {"points": shown, "next_page_offset": after}, "status": "ok", "time": 0.001}

    return answer


def weaviate(objects: list[Json], about: Json) -> Callable[[Call], Answer | Json]:
    """Answer as Weaviate does: `GET /v1/schema/NAME`, and `GET /v1/objects` by ascending id from a cursor on."""

    def answer(call: Call) -> Answer | Json:
        if call.path == "/v1/schema/Shop":
            return {"class": "Shop", **about}
        if call.path != "/v1/objects" or call.query.get("class") != "Shop":
            return 404, {"error": [{"message": "not found"}]}, {}
        rest = [one for one in objects if one["id"] > call.query["after"]]
        return {"objects": rest[: int(call.query["limit"])], "totalResults": len(rest)}

    return answer
