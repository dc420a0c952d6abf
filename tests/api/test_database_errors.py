"""What the database says in the middle of a request is an envelope with 503, and the server goes on."""

from collections.abc import Iterator

import psycopg
import pytest

from app.services import collections
from tests.api.conftest import Api, picture

_CODES = (
    *("08000", "08001", "08003", "08004", "08006", "08007", "08P01"),
    *("57P01", "57P02", "57P03", "57014", "57000"),
    *("53000", "53100", "53200", "53300", "53400", "58000", "58030"),
    *("25006", "25P03", "40001", "40P01", "55P03"),
)


@pytest.fixture
def raising(api: Api) -> Iterator[Api]:
    """A collection of three records, one of which makes the database raise the SQLSTATE that a change gives it."""
    api.fill(3)
    table = collections.get(api.context, api.collection).records_table
    with psycopg.connect(api.context.db.url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION public.raise_code() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'secret' USING ERRCODE = NEW.attributes->>'raise'; END $$"
        )
        owner.execute(
            f"CREATE TRIGGER raising BEFORE INSERT OR UPDATE ON lookalike.{table} FOR EACH ROW"
            " WHEN (NEW.attributes ? 'raise') EXECUTE FUNCTION public.raise_code()"
        )
        yield api
        owner.execute("DROP FUNCTION public.raise_code CASCADE")


def test_what_is_no_fault_of_the_request_is_503(raising: Api) -> None:
    for code in _CODES:
        answer = raising.call("update", {"records": [{"_id": "1", "raise": code}, {"_id": "2", "written": True}]})
        told = answer.get_json()
        assert (answer.status_code, told["status"]["code"]) == (503, 503), (code, told)
        assert int(answer.headers["Retry-After"]) >= 1
        assert "secret" not in answer.get_data(as_text=True)
    inserted = {"records": [{"_id": "n", "_base64": picture(1), "raise": "08006"}]}
    assert raising.call("insert", inserted).status_code == 503
    kept = raising.post("get", {"records": [{"_id": "2"}], "fields_to_return": ["written"]}, code=205)
    assert kept["answer_records"] == [{"_id": "2"}]
