"""A real PostgreSQL for every test: one server a worker, a template database, a copy of it a test.

`-n auto` (what `make test` says) starts a worker more than there are cores; `-n0` runs all tests in one process.
Workers get modules, not tests, so that what a module shares is made once.

`--db=URL` or `LOOKALIKE_TEST_DATABASE_URL` names a server of one's own (a superuser's URL); `--db=container` runs the
image of docker-compose through testcontainers; else the embedded server is used. A given server has all tests run
in one process, since roles belong to all its databases.
"""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from app.config import Settings
from app.db import schema
from app.db.engine import Database
from tests.support.databases import Databases

# Workers take all cores: a model that took more threads would take them from the other workers. Servers inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
_LONG_FIRST = ("server", "house", "db", "api", "ui", "unit")
IMAGE = "pgvector/pgvector:0.8.5-pg18-trixie"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", default="auto", help="where the tests' PostgreSQL runs: auto, container, or a URL")
    parser.addoption("--citus", help="the URL of a coordinator of Citus, a superuser's: collections lie on its workers")
    parser.addoption(
        "--layout",
        choices=("whole", "hash"),
        default="hash",
        help="with --citus: how collections of the API's tests lie",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which server a given URL leads to: what was tested is then in the log."""
    url = _named(config)
    if url is None:
        return None
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), (SELECT default_version FROM pg_available_extensions"
            " WHERE name = 'vector'), (SELECT concat_ws(' ', datlocprovider, datcollate) FROM pg_database"
            " WHERE datname = current_database())"
        ).fetchone()
    return "database: PostgreSQL {}, pgvector {}, locale {}".format(*row) if row else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give each run a temporary folder of its own, which `--basetemp` names else.

    pytest's own lies in a folder that all runs of a user share, and each that starts closes it to other users: the
    embedded server of a run beside, which is another user where root starts it, would lose its data.
    """
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="lookalike-tests-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)  # a test or two are run without pytest-xdist, too
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many workers `-n auto` starts: none where the server is given.

    One more than cores, at most eight: of two, each waits for servers, browsers and clocks a fifth of its time.
    """
    return 0 if _named(config) else min(8, len(os.sched_getaffinity(0)) + 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without Python's garbage collector, and keep what was collected out of its sight.

    Tests, modules and libraries stay until the end: to look through them again and again found nothing. What comes
    later is looked through more seldom than by itself, too.
    """
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 20, 20)
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders with long modules first: one of them at the end would be waited for by one worker alone."""
    items.sort(key=lambda item: next((n for n, name in enumerate(_LONG_FIRST) if name in item.path.parts), 9))


def _named(config: pytest.Config) -> str | None:
    option = str(config.getoption("--db"))
    return option if "://" in option else os.environ.get("LOOKALIKE_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    if own := _named(request.config):
        yield own
    elif request.config.getoption("--db") == "container":
        yield from _container()
    else:
        from app.db.embedded import EmbeddedDatabase

        embedded = EmbeddedDatabase(tmp_path_factory.mktemp("embedded"))
        url = embedded.start()
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # no test cuts the power
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        yield url
        embedded.stop()


def _container() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        pytest.skip("--db=container needs a Docker engine: there is no /var/run/docker.sock and no DOCKER_HOST")
    with PostgresContainer(IMAGE, driver=None) as container:
        yield container.get_connection_url()


@pytest.fixture(scope="session")
def citus_url(request: pytest.FixtureRequest) -> str:
    """The URL of a coordinator of Citus, on which databases may be created."""
    url = request.config.getoption("--citus")
    if url is None:
        pytest.skip("needs a cluster of Citus: pytest --citus=URL of its coordinator")
    return str(url)


@pytest.fixture
def on_the_coordinator(request: pytest.FixtureRequest) -> None:
    """Skip what is refused, or cannot be seen from here, where records lie on the workers of Citus."""
    if request.config.getoption("--citus"):
        pytest.skip("is of records on the coordinator: workers have no triggers, and statistics of their own")


@pytest.fixture(scope="session")
def databases(server_url: str) -> Iterator[Databases]:
    """Make databases on the tests' server, new ones and copies."""
    with psycopg.connect(server_url, autocommit=True) as server:
        yield Databases(server, server_url)


@pytest.fixture(scope="session")
def template(databases: Databases) -> Iterator[str]:
    """The URL of a database with the schema, copied for each test; nobody connects to it."""
    with databases.new() as url:
        schema.upgrade(url)
        yield url


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    with databases.new() as url:
        yield url


@pytest.fixture
def database_url(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database of the test's own, with the schema."""
    with databases.copy(template) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with the schema that the tests of one module share."""
    with databases.copy(template) as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """Connections to a database of the test's own."""
    database = Database(database_url)
    database.open()
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings that write nowhere but into the test's own folder; recall is measured where a test asks for it."""
    return lambda **given: Settings(**{"home": tmp_path / "home", "recall_seconds": 0, **given})


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers copies code to run it: not into the tester's own folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", [*sys.path])
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture(scope="session")
def clothing() -> Path:
    """The folder of product photos; tests that need it are skipped where it is absent."""
    named = os.environ.get("LOOKALIKE_CLOTHING_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data" / "clothing"
    if not folder.is_dir():
        pytest.skip("the clothing photos are not there: set LOOKALIKE_CLOTHING_DIR to their folder")
    return folder
