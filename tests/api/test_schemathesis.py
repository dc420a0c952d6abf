"""Requests made up from the OpenAPI document: no answer may be a 5xx, or other than the document says."""

import itertools
import os
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema

from app import create_app
from app.api.docs import docs
from app.api.openapi import document
from app.config import Settings
from app.domain.tokens import Scope
from app.services import collections, tokens
from tests.api.conftest import Api, picture
from tests.textmodels import save

# Made-up requests for each operation, beside those that try each bound once: the same ones in every run, so that a
# test that passed does not fail by chance. LOOKALIKE_FUZZ_EXAMPLES=500 looks further, with others each time.
FURTHER = os.environ.get("LOOKALIKE_FUZZ_EXAMPLES")
EXAMPLES = settings(
    max_examples=int(FURTHER or 10),
    derandomize=FURTHER is None,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
RECORDS = 6
_numbers = itertools.count()

# Whether a request is refused depends on more than a schema can say: is there such a record, such a picture?
NOT_SAID = [checks.negative_data_rejection, checks.positive_data_acceptance]


OPERATIONS = [f"{verb.upper()} {path}" for path, verbs in document()["paths"].items() for verb in verbs]
KNOWING_TEXTS = [one for one in OPERATIONS if re.search(r"text|visual\w+|range|nearDup\w+|insert", one)]


@pytest.fixture(scope="module")
def application(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    # No URL names this port, so that nothing is ever fetched.
    flask = create_app(Settings(home=tmp_path_factory.mktemp("home"), fetch_ports=(9,)), module_database_url)
    yield flask
    context = flask.extensions["lookalike"]
    context.close()


@pytest.fixture(scope="module")
def schema() -> BaseSchema:
    """The document, as an application serves it that has nothing else: requests would be made of its constants, too."""
    checks.load_all_checks()
    flask = Flask(__name__, static_folder=None)
    flask.register_blueprint(docs())
    fixed = SchemathesisConfig(seed=None if FURTHER else 1)
    return schemathesis.openapi.from_wsgi("/openapi.json", flask, config=fixed)


@pytest.fixture
def scratch(application: Flask) -> Api:
    """A collection of the operation's own, with a few records, that may be emptied."""
    context = application.extensions["lookalike"]
    name = collections.create(context, f"scratch{next(_numbers)}", "photo").name
    api = Api(application.test_client(), context, name, tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(RECORDS)
    return api


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(tmp_path_factory.mktemp("model"), "clip"))


@pytest.fixture
def worded(application: Flask, words: str) -> Api:
    """The same, of a service and a model that know texts and tags."""
    context = application.extensions["lookalike"]
    name = collections.create(context, f"worded{next(_numbers)}", "fashion", words).name
    api = Api(application.test_client(), context, name, tokens.create(context, [Scope.ADMIN], None).token)
    api.prefix = "similarity/fashion"
    api.fill(RECORDS)
    return api


def livelier(value: Any) -> Any:
    """A made-up body in which about every second `_id` is a stored one, and every second picture a picture."""
    if isinstance(value, list):
        return [livelier(own) for own in value]
    if not isinstance(value, dict):
        return value
    made = {key: livelier(own) for key, own in value.items()}
    chance = zlib.crc32(repr(sorted(made)).encode()) + zlib.crc32(repr(made).encode())
    if isinstance(made.get("_id"), str) and chance % 2:
        made["_id"] = str(chance % RECORDS)
    if isinstance(made.get("_base64"), str) and chance % 4 < 2:
        made["_base64"] = picture(chance % 20)
    if isinstance(made.get("_text_data"), str) and chance % 3:
        return {"_text_data": made["_text_data"]}
    return made


def ask(operation: str, schema: BaseSchema, api: Api, application: Flask) -> None:
    """Send what is made up for an operation, and look at the answers.

    The requests are made here, not as pytest looks for tests, which each worker does: to make them takes half as long
    as to answer them.
    """
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}

    def answered(case: Any) -> None:
        if isinstance(case.body, dict | list):
            case.body = livelier(case.body)
        case.call_and_validate(headers=headers, app=application, excluded_checks=NOT_SAID)

    verb, path = operation.split(" ", 1)
    (made,) = get_all_tests(
        schema=schema.include(method=verb, path=path), test_func=answered, settings=EXAMPLES, given_kwargs={}
    )
    assert isinstance(made, Ok), made
    made.ok()[1]()


def test_the_application_serves_the_document(application: Flask) -> None:
    client = application.test_client()
    assert client.get("/openapi.json").get_json() == document()
    assert client.get("/docs").status_code == 200


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.timeout(600)
def test_answers_keep_to_the_document(operation: str, schema: BaseSchema, application: Flask, scratch: Api) -> None:
    ask(operation, schema, scratch, application)


@pytest.mark.parametrize("operation", KNOWING_TEXTS)
@pytest.mark.timeout(600)
def test_answers_keep_to_the_document_where_the_model_knows_texts(
    operation: str, schema: BaseSchema, application: Flask, worded: Api
) -> None:
    ask(operation, schema, worded, application)
