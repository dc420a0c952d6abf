import http.server
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from app.domain.errors import LookalikeError
from app.domain.options import ModelOptions
from app.embedding.models import registry
from app.services.pipeline import Item
from tests.bench import models
from tests.bench.clients import HttpJob, Round, post, run_round
from tests.bench.modelrun import Job
from tests.bench.report import Table, Target, machine, summary
from tests.bench.setup import held_out
from tests.pictures import encoded, photo
from tests.support.small_vit import write_small_vit


class Counting(http.server.BaseHTTPRequestHandler):
    """Answers every POST with what it was sent; /wrong with 500, /close by closing, /short by breaking off."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[Any]] = set()

    def do_POST(self) -> None:
        self.connections.add(self.client_address)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if self.path == "/wrong" else 200)
        self.send_header("Content-Length", str(len(body) + (10 if self.path == "/short" else 0)))
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path in ("/close", "/short")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Counting.connections.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def job(port: int, path: str, expected: bytes = b"") -> HttpJob:
    return HttpJob("127.0.0.1", port, tuple(post(path, {"X": "y"}, b"%d" % n * 3000) for n in range(9)), expected)


def test_a_table_is_written_as_markdown_with_numbers_to_the_right() -> None:
    table = Table("Load", ("what", "per s"), [("model", "9"), ("decoding", "120")], ["A note."])
    assert table.markdown() == (
        "## Load\n\n| what     |   per s |\n|:---------|--------:|\n"
        "| model    |       9 |\n| decoding |     120 |\n\n- A note."
    )


def test_the_summary_says_of_every_target_whether_it_is_met() -> None:
    first = Table("a", ("x",), [], targets=[Target("speed", "≥ 2", "3", met=True)])
    second = Table("b", ("x",), [], targets=[Target("recall", "≥ .98", ".5", met=False)])
    assert summary([first, second]).rows == [("speed", "≥ 2", "3", "met"), ("recall", "≥ .98", ".5", "NOT MET")]


def test_the_machine_is_told_in_one_line() -> None:
    line = machine("PostgreSQL 18")
    assert "cores" in line
    assert "PostgreSQL 18" in line
    assert "\n" not in line


def test_clients_keep_their_connections_and_count_what_they_got(port: int) -> None:
    found = run_round(job(port, "/good", expected=b"0"), clients=3, seconds=0.2)
    # Of nine requests in turn one has the expected body.
    assert found.errors > len(found.milliseconds) > 0
    assert len(Counting.connections) == 3
    found = run_round(job(port, "/good"), clients=3, seconds=0.2)
    assert found.errors == 0
    assert found.rate == pytest.approx(len(found.milliseconds) / found.seconds)
    assert 0 < found.p50 <= found.p99


def test_a_connection_that_the_server_closes_is_opened_anew(port: int) -> None:
    found = run_round(job(port, "/close"), clients=1, seconds=0.1)
    assert found.errors == 0
    assert len(Counting.connections) > 5


@pytest.mark.parametrize("path", ["/wrong", "/short"])
def test_a_bad_answer_is_an_error(port: int, path: str) -> None:
    found = run_round(job(port, path), clients=2, seconds=0.1)
    assert found.errors > 0
    assert not found.milliseconds


def test_no_server_is_an_error_for_every_request() -> None:
    found = run_round(job(9, "/none"), clients=2, seconds=0.1)
    assert found.errors > 0
    assert not found.milliseconds


def test_a_client_that_cannot_start_fails_the_round_and_holds_up_no_other() -> None:
    class Broken:
        def shared(self) -> Any:
            return nullcontext(iter(range(2)))

        def client(self, shared: Any) -> Any:
            if next(shared):
                raise ConnectionError("no database")
            return nullcontext(lambda number: True)

    with pytest.raises(ConnectionError, match="no database"):
        run_round(Broken(), clients=2, seconds=0.1)


def test_a_round_has_the_rate_of_good_answers() -> None:
    assert Round([1.0, 2.0, 3.0], errors=4, seconds=2.0).rate == 1.5


def test_one_in_ten_of_each_class_is_held_out() -> None:
    items = [
        Item(f"{kind}{number}", {"category": kind}, bytes)
        for kind, size in (("a", 25), ("b", 9))
        for number in range(size)
    ]
    kept, queries = held_out(items)
    assert [item.id for item in queries] == ["a9", "a19"]
    assert len(kept) == 32
    assert all(one.id != other.id for one, other in pairwise(kept))


def test_a_model_is_measured_in_a_process_held_to_its_cores(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(encoded(photo(number), "JPEG"))
    found = models._run(Job("pixels", "cpu", 1, str(tmp_path), seconds=0.05, pictures=50))
    assert min(found.whole, found.model, found.decoding, found.whole_processor) > 0
    assert found.model > found.whole
    assert abs(found.grown_mib) < 32
    with pytest.raises(LookalikeError, match="there is no model 'nothing'"):
        models._run(Job("nothing", "cpu", 1, str(tmp_path), seconds=0.05, pictures=50))


def test_the_sample_of_transformers_models_can_be_loaded(tmp_path: Path) -> None:
    folder = str(write_small_vit(tmp_path / "vit"))
    facts = registry.describe(folder, ModelOptions())
    assert facts.dimensions == 192
    assert registry.describe(str(write_small_vit(tmp_path / "again")), ModelOptions()).revision == facts.revision
    model = registry.load(folder, ModelOptions())
    assert np.isfinite(model.embed([model.prepare(photo(1))])).all()
