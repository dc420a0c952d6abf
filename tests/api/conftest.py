"""The application on a real database with the real model, and a collection of the test's own."""

import base64
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageDraw
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings
from app.db import schema
from app.domain.tokens import Scope
from app.metrics.families import Family
from app.services import collections, tokens
from app.services.context import Context
from app.services.pipeline import Pipeline
from tests.api.planes import place
from tests.support import citus
from tests.support.databases import Databases
from tests.support.scraping import key, scraped

_numbers = itertools.count()
Json = dict[str, Any]


@dataclass
class Api:
    """A client of the application, with a token and a collection."""

    client: FlaskClient
    context: Context
    collection: str
    token: str
    prefix: str = "photo/search"

    def call(self, method: str, body: Any = None, *, verb: str = "POST", **headers: str) -> TestResponse:
        sent = {"Authorization": f"Token {self.token}", "collection-id": self.collection}
        sent.update({key.replace("_", "-"): value for key, value in headers.items()})
        sent = {key: value for key, value in sent.items() if value}
        return self.client.open(f"/{self.prefix}/v2/{method}", method=verb, json=body, headers=sent)

    def post(self, method: str, body: Any = None, *, code: int | None = None, **headers: str) -> Json:
        answer = self.call(method, body, **headers)
        got = answer.get_json()
        if code is not None:
            assert got["status"]["code"] == code, got
        return dict(got)

    def fill(self, count: int = 5) -> None:
        for start in range(0, count, 10):
            numbers = range(start, min(start + 10, count))
            records = [{"_id": str(n), "_base64": picture(n), "n": n, "price": n * 10} for n in numbers]
            self.post("insert", {"records": records}, code=210)


@pytest.fixture(scope="session")
def app_context(
    request: pytest.FixtureRequest, databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FlaskClient, Context]]:
    files = tmp_path_factory.mktemp("files")
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        files_root=files,
        max_body_bytes=8 * 2**20,
        auth_cache_seconds=0.2,
        cors_origins=("https://shop.example", "http://[::1]:8080"),
        trusted_proxies=("192.0.2.7", "10.0.0.0/8"),
    )
    with ExitStack() as stack:
        if coordinator := request.config.getoption("--citus"):
            url = stack.enter_context(citus.made(coordinator))
            schema.upgrade(url)
            stack.enter_context(citus.distributed_from_the_start(request.config.getoption("--layout")))
        else:
            url = stack.enter_context(databases.copy(template))
        application = create_app(settings, url)
        context: Context = application.extensions["lookalike"]
        yield application.test_client(), context
        context.close()


def with_collection(app_context: tuple[FlaskClient, Context], model: str | None = None) -> Api:
    """Make a collection, and a client with a token for it."""
    client, context = app_context
    made = collections.create(context, f"c{next(_numbers)}", "photo", model)
    return Api(client, context, made.name, tokens.create(context, [Scope.ADMIN], None).token)


@pytest.fixture
def api(app_context: tuple[FlaskClient, Context]) -> Api:
    """A collection of the test's own: a twentieth of a second and more, the more of them there are."""
    return with_collection(app_context)


@pytest.fixture(scope="module")
def shared(app_context: tuple[FlaskClient, Context]) -> Api:
    """A collection of the module, to be filled by a fixture of the module, for tests that only read."""
    return with_collection(app_context)


@pytest.fixture
def new_token(api: Api) -> Callable[..., str]:
    return lambda scope, *names: tokens.create(api.context, [Scope(scope)], list(names) or None).token


@pytest.fixture
def new_collection(api: Api) -> Callable[..., str]:
    return lambda **given: collections.create(api.context, f"c{next(_numbers)}", **{"service": "photo", **given}).name


def drawing(number: int, size: int = 160) -> Image.Image:
    """A picture of its own for each number: shapes whose place, colour and count depend on it."""
    picture = Image.new("RGB", (size, size), ((number * 37) % 256, (number * 91) % 256, (number * 53) % 256))
    pen = ImageDraw.Draw(picture)
    for step in range(3 + number % 5):
        x, y = (number * 29 + step * 41) % (size - 40), (number * 17 + step * 67) % (size - 40)
        colour = (
            (step * 80 + number * 13) % 256,
            (255 - number * 31 - step * 9) % 256,
            (number * 71 + step * 50) % 256,
        )
        shape = (pen.ellipse, pen.rectangle)[(number + step) % 2]
        shape((x, y, x + 20 + step * 5, y + 30), fill=colour)
    return picture


def encoded(image: Image.Image, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def picture(number: int) -> str:
    return encoded(drawing(number))


@pytest.fixture
def embedded(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of all records whose pictures are embedded, as it happens."""
    seen: list[str] = []
    before = Pipeline.embed

    def embed(self: Pipeline, batch: Any) -> Any:
        seen.extend(one.item.id for one in batch)
        return before(self, batch)

    monkeypatch.setattr(Pipeline, "embed", embed)
    return seen


@pytest.fixture(scope="session")
def plane(app_context: tuple[FlaskClient, Context]) -> Api:
    """Records at angles of 0 to 90 degrees from the first axis, in a plane; 5 degrees from one to the next."""
    api = with_collection(app_context)
    place(api, {f"a{degrees:02}": degrees for degrees in range(0, 91, 5)})
    return api


@pytest.fixture
def moved(api: Api) -> Callable[..., float]:
    """By how much a series has moved since the fixture was made."""
    before = scraped(api.context.metrics)

    def by(family: Family, **labels: str) -> float:
        now = scraped(api.context.metrics)
        return now[key(family, **labels)] - before.get(key(family, **labels), 0.0)

    return by
