"""Database URLs as people write them: read as they are meant, or refused in a sentence without a password."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.db.conninfo import each_host, readable, without_password
from app.domain.errors import ConfigurationError

GOOD = "postgresql://ana:open@db.example:5433/shop"


@pytest.mark.parametrize(
    "written",
    [
        f" {GOOD}",
        f"{GOOD}\n",
        f'"{GOOD}"',
        f"'{GOOD}'",
        GOOD.replace("postgresql", "postgres"),
        GOOD.replace("postgresql", "postgresql+psycopg"),
        GOOD.replace("postgresql", "postgresql+psycopg2"),
        GOOD.replace("postgresql", "postgres+asyncpg"),
        GOOD.replace("postgresql", "PostgreSQL"),
        "host=db.example port=5433 user=ana password=open dbname=shop",
    ],
)
def test_what_can_only_be_meant_one_way_is_read_so(written: str) -> None:
    assert conninfo_to_dict(readable(written)) == conninfo_to_dict(GOOD)


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://a,b/shop?target_session_attrs=any",
        "host=a,b target_session_attrs=prefer-standby dbname=shop",
        "postgresql:///shop?host=/var/run/postgresql",
        "postgresql://[::1]:5432/shop",
        "service=shop",
        "postgresql://ana:s%40sam3@db.example/sh%40p",
    ],
)
def test_what_libpq_reads_is_left_as_it_is(written: str) -> None:
    assert readable(written) == written


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://a:1,b:2/shop",
        "postgresql:///shop?host=a,b&port=1,2",
        "postgresql+psycopg://a:1,b:2/shop",
        "host=a,b port=1,2 dbname=shop",
        "host=a,b port=1,2 dbname=postgresql://shop",
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_meant(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    to_read = conninfo_to_dict(readable(written, writes=False))
    assert to_read.pop("target_session_attrs") == "prefer-standby"
    assert to_read.pop("load_balance_hosts") == "random"
    assert conninfo_to_dict(readable(written)) == {**to_read, "target_session_attrs": "read-write"}
    assert readable(readable(written)) == readable(written)
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "any")
    assert conninfo_to_dict(readable(written)) == conninfo_to_dict(readable(written, writes=False)) == to_read


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("postgresql://ana:s@sam3@db.example/shop", "write @ as %40"),
        ("postgresql://ana:s/sam3@db.example/shop", "write @ as %40"),
        ("postgresql://ana:s:sam3@db.example/sh@p", "write @ as %40"),
        ("postgresql://ana:s%sam3@db.example/shop", "a % in it begins no encoded character"),
        ("postgresql://ana:s#sam3@db.example:port/shop", "names a port that is none"),
        ("postgresql://ana:sam3@db.example:99999/shop", "names a port that is none"),
        ("postgresql://ana:sam3@db.example:0/shop", "names a port that is none"),
        ("postgresql://ana:sam3@[::1/shop", "write postgresql://USER:PASSWORD@HOST"),
        ("postgresql://ana:sam3@db.example/shop?sslmod=require", "libpq knows no parameter 'sslmod'"),
        ("mysql://ana:sam3@db.example/shop", "begins with mysql://, which is no PostgreSQL URL"),
        ("jdbc:postgresql://db.example/shop?password=sam3", "begins with jdbc:postgresql://"),
        ("https://db.example/sam3", "begins with https://"),
        ("db.example/sam3", "is no database URL"),
        ("host=db.example password=s sam3", "a value with a space in it stands in single quotes"),
        ("host=db.example pasword=sam3", "words are name=value"),
        ("", "is no database URL"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_the_password(written: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        readable(written, "LOOKALIKE_ADMIN_DATABASE_URL")
    sentence = str(refused.value)
    assert sentence.startswith("LOOKALIKE_ADMIN_DATABASE_URL ")
    assert said in sentence
    assert "sam3" not in sentence
    assert "\n" not in sentence


def test_the_password_is_taken_out_for_other_programs() -> None:
    words, password = without_password(GOOD)
    assert password == "open"
    assert conninfo_to_dict(words) == {"user": "ana", "host": "db.example", "port": "5433", "dbname": "shop"}
    assert without_password("host=db.example")[1] is None


def test_each_host_is_reached_by_words_of_its_own() -> None:
    url = readable("postgresql://shop:p%40ss@a:5433,b,[::1]:1/db?sslmode=require", writes=False)
    found = dict(each_host(url))
    assert [*found] == ["a:5433", "b:5432", "::1:1"]
    words = [conninfo_to_dict(one) for one in found.values()]
    assert [one["host"] for one in words] == ["a", "b", "::1"]
    assert {one["target_session_attrs"] for one in words} == {"any"}
    assert {(one["password"], one["sslmode"], one["dbname"]) for one in words} == {("p@ss", "require", "db")}
    assert not any("load_balance_hosts" in one for one in words)
    assert [*dict(each_host("host=/run/a,/run/b port=7 dbname=x"))] == ["/run/a:7", "/run/b:7"]
    assert [*dict(each_host("service=shop"))] == ["the local server:5432"]
