"""A small Hugging Face hub on this host: as much of its protocol as fetching a model takes."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(http.server.BaseHTTPRequestHandler):
    """Serves `folder/org/name`, as of `main`, `v1` and COMMIT; models of `private` are gated."""

    protocol_version = "HTTP/1.1"
    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(self.path.partition("?")[0]).strip("/")
        self.asked.append(f"{self.command} {path}")
        parts = path.removeprefix("api/models/").split("/")
        organisation, name, *rest = parts
        folder = self.folder / organisation / name
        if organisation == "private":
            self._refuse(403, "GatedRepo")
        elif not folder.is_dir():
            self._refuse(404, "RepoNotFound")
        elif rest and rest[1] not in ("main", "v1", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif rest and rest[0] == "resolve":
            self._file(folder.joinpath(*rest[2:]))
        elif rest and rest[0] == "tree":
            self._json([self._entry(folder, one) for one in self._files(folder)])
        else:
            siblings = [{"rfilename": str(one.relative_to(folder))} for one in self._files(folder)]
            self._json({"id": f"{organisation}/{name}", "sha": COMMIT, "siblings": siblings})

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        return sorted(one for one in folder.rglob("*") if one.is_file())

    @staticmethod
    def _entry(folder: Path, one: Path) -> dict[str, Any]:
        data = one.read_bytes()
        oid = hashlib.sha1(data).hexdigest()
        return {"type": "file", "path": str(one.relative_to(folder)), "size": len(data), "oid": oid}

    def _file(self, path: Path) -> None:
        if path.is_file():
            self._send(200, path.read_bytes(), ETag=f'"{hashlib.sha1(path.read_bytes()).hexdigest()}"')
        else:
            self._refuse(404, "EntryNotFound")

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", **{"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def hub_of(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder of models; gives the hub's URL and the list of what it is asked."""
    asked: list[str] = []
    handler = type("Hub", (_Hub,), {"folder": folder, "asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
