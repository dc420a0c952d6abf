"""A server that takes encrypted connections only, and databases that sort and speak otherwise."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from app.db import collections, listing, records, schema
from app.db.engine import Database
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError, Unavailable
from app.domain.records import Fields
from tests.db.vectors import random_vectors
from tests.house import pgbouncer
from tests.house.conftest import House
from tests.server.conftest import Server, clean_environment


@pytest.fixture
def encrypted(database_url: str, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a database that is reached encrypted only, and the certificate that is shown for it.

    The embedded PostgreSQL is built without SSL, so it is pgbouncer that demands it.
    """
    openssl = shutil.which("openssl")
    if openssl is None or pgbouncer.program() is None:
        pytest.skip("openssl or pgbouncer is not installed")
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o644)
    lines = f"client_tls_sslmode = require\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}"
    with pgbouncer.in_front_of(database_url, tmp_path, more=lines) as url:
        yield url.replace("127.0.0.1", "localhost"), certificate


def test_a_server_that_demands_ssl(encrypted: tuple[str, Path], database_url: str, tmp_path: Path) -> None:
    url, root = encrypted
    verified = f"{url}?sslmode=verify-full&sslrootcert={root}"
    with psycopg.connect(verified) as connection:
        assert connection.pgconn.ssl_in_use
    settings = {"LOOKALIKE_HOME": str(tmp_path / "home"), "LOOKALIKE_ADMIN_DATABASE_URL": database_url}
    for wrong in ("sslmode=disable", "sslmode=verify-full&sslrootcert=system"):  # plain; vouched for by nobody
        with pytest.raises((Unavailable, ConfigurationError)):
            schema.ensure(f"{url}?{wrong}")
    with pytest.raises((Unavailable, ConfigurationError)):  # another name than the certificate's
        schema.ensure(verified.replace("localhost", "127.0.0.1"))
    server = Server(clean_environment(DATABASE_URL=verified, **settings), tmp_path / "log")
    server.start()
    try:
        assert "ready to be served" in server.command("db", "check").stdout
    finally:
        assert server.stop() == 0


LOCALES = {
    "C": "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
    "ICU Swedish": "LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE' LC_COLLATE 'C' LC_CTYPE 'C'",
    "ICU, lower case and accents equal": "LOCALE_PROVIDER icu ICU_LOCALE 'und-u-ks-level1' LC_COLLATE 'C' LC_CTYPE 'C'",
}


@pytest.mark.parametrize("options", LOCALES.values(), ids=LOCALES.keys())
def test_ids_are_ordered_by_their_bytes_in_every_locale(server_url: str, options: str) -> None:
    name = f"lookalike_locale_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        try:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {options}".encode())
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server was built without ICU")
        try:
            url = House(make_url(server_url).set(database=name).render_as_string(hide_password=False)).administrator
            schema.upgrade(url)
            assert schema.problems(url) == []
            db = Database(url)
            db.open()
            made = collections.create(db, NewCollection("c", "photo", "m", "1", 8, 62.5))
            ids = ["å", "z", "a", "A", "ä", "e\u0301", "é", "Z", "_", "10", "9"]
            vectors = random_vectors(len(ids), 8)
            batch = [records.NewRecord(own, "{}", vector) for own, vector in zip(ids, vectors, strict=True)]
            assert records.insert(db, made, batch) == set(ids)
            everything = listing.Listing(made, Fields())
            streamed = [found.id for rows in listing.stream(db, everything) for found in rows]
            assert streamed == sorted(ids, key=str.encode)
            paged = [found.id for found in listing.page_after(db, everything, "Z", 4)]
            assert paged == sorted(ids, key=str.encode)[sorted(ids, key=str.encode).index("Z") + 1 :][:4]
            db.close()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
