"""`GET /` says what this is, and where to go on."""

from tests.api.conftest import Api


def test_the_root_points_to_what_there_is(api: Api) -> None:
    got = api.client.get("/").get_json()
    assert got["name"] == "Lookalike"
    assert {name: got[name] for name in ("docs", "openapi", "alive", "ready")} == {
        "docs": "/docs",
        "openapi": "/openapi.json",
        "alive": "/healthz",
        "ready": "/readyz",
    }
    for name in ("docs", "openapi", "alive"):
        assert api.client.get(got[name]).status_code == 200
