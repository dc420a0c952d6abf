"""docs/api.md is what the server answers. `make docs` (LOOKALIKE_WRITE_DOCS=1) writes it anew."""

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.api.methods import METHODS
from app.config import Settings
from app.demo.catalogue import unpack
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.loading import line_items, load
from tests.api import documented
from tests.api.documented import COLLECTION, HOST, PATHS, PREFIX, PRODUCTS, SERVICE, Example
from tests.support.places import ROOT

PAGE = ROOT / "docs" / "api.md"
# Another processor computes in other steps: distances may differ by so much (or by 3 % of large ones), and no more.
_TOLERANCE = 0.5
_NUMBER = re.compile(r"(?<=[\[ ])\d+\.\d+(?=[,\]])")
Answers = list[tuple[Example, Any]]


@pytest.fixture(scope="module")
def demo_lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("catalogue"), PRODUCTS)


@pytest.fixture(scope="module")
def served(
    module_database_url: str, demo_lines: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FlaskClient, str]]:
    # Float32, as the answers of the page were made: bfloat16 differs from processor to processor.
    settings = Settings(home=tmp_path_factory.mktemp("home"), model_dtype="fp32")
    application = create_app(settings, module_database_url)
    context = application.extensions["lookalike"]
    collection = collections.create(context, COLLECTION, SERVICE)
    report = load(context, collection, list(line_items(context, demo_lines)))
    assert (report.stored, report.failed) == (PRODUCTS, [])
    yield application.test_client(), tokens.create(context, [Scope.ADMIN], None).token
    context.close()


@pytest.fixture(scope="module")
def answers(served: tuple[FlaskClient, str]) -> Answers:
    client, token = served
    headers = {"Authorization": f"Token {token}", "collection-id": COLLECTION}
    got = []
    for example in documented.examples():
        path = f"/{PREFIX}/v2/{example.method}" + (f"?{example.query}" if example.query else "")
        sent = {} if example.method == "ping" else {"headers": headers, "json": example.body}
        answer = client.open(path, method="GET" if example.method == "ping" else "POST", base_url=HOST, **sent)
        assert answer.status_code == 200, answer.text
        got.append((example, answer.get_json()))
    return got


def page(client: FlaskClient, answers: Answers) -> str:
    seen: set[str] = set()
    parts = [documented.HEAD]
    for group in documented.order():
        parts.append(f"## {group}")
        for example, answer in answers:
            if documented.group_of(example) == group:
                parts.append(documented.section(example, answer, first=example.method not in seen))
                seen.add(example.method)
    parts.append("## Beside the methods")
    parts += [documented.path_section(path, client.get(path, base_url=HOST).get_json()) for path in PATHS]
    return "\n\n".join(parts) + "\n"


def test_the_page_is_what_the_server_answers(served: tuple[FlaskClient, str], answers: Answers) -> None:
    made = page(served[0], answers)
    if os.environ.get("LOOKALIKE_WRITE_DOCS"):
        PAGE.write_text(made, encoding="utf-8")
    kept = PAGE.read_text(encoding="utf-8")
    assert _NUMBER.sub("0.0", kept) == _NUMBER.sub("0.0", made), "run `make docs`"
    numbers = [[float(number) for number in _NUMBER.findall(text)] for text in (kept, made)]
    assert numbers[0] == pytest.approx(numbers[1], abs=_TOLERANCE, rel=0.03), "run `make docs`"


def test_the_order_of_neighbours_does_not_hang_on_the_processor(answers: Answers) -> None:
    """An example whose neighbours are nearly equally near would be another one elsewhere; a query itself is at 0."""
    compared = 0
    for example, answer in answers:
        own = [record.get("_id") for record in answer.get("query_records", [])]
        if own:
            ranked = zip(answer["answer_records"], answer["answer_distances"], strict=True)
            distances = [distance for record, distance in ranked if record["_id"] not in own]
            compared += len(distances)
            assert all(farther - nearer > 2 * _TOLERANCE for nearer, farther in pairwise(distances)), (example, answer)
    assert compared > 10


def test_each_method_has_its_section() -> None:
    headings = set(re.findall(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    # `text` wants a model that knows texts, which the catalogue's does not: docs/text-and-tags.md.
    assert headings == {*METHODS, "ping", *PATHS} - {"text"}


def test_long_values_are_shortened_visibly() -> None:
    assert documented.shortened("A" * 300) == "AAAAAAAAAAAAAAAA… 300 characters"
    assert documented.shortened(list(range(9))) == [0, 1, 2, 3, 4, 5, "… 3 more"]
    assert documented.shortened({"a": "b" * 30}) == {"a": "b" * 30}
