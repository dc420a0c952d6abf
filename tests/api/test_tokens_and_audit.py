"""Tokens that expire, are replaced, changed, and whose use is noted; and the log of who changed what."""

import getpass
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
import psycopg
import pytest

from app.db import audit as audit_table
from app.db import roles
from app.domain.audit import Act
from app.domain.errors import Forbidden, InvalidRequest, LookalikeError
from app.domain.moments import moment_of, while_of
from app.domain.tokens import Limits, Principal, Scope
from app.services import expiring, tokens
from app.services.audit import Audit
from app.services.tokenuse import TokenUse
from tests.api.conftest import Api, picture
from tests.support.commands import run
from tests.support.waiting import eventually

PING = MappingProxyType({"query_record": {"_id": "0"}, "k": 1})


def code_of(api: Api, token: str) -> int:
    """Return the code that a search with a token is answered with, once nothing old of it is remembered."""
    api.context.lookup._tokens.clear()
    answer = api.call("getRecordCount", {}, Authorization=f"Token {token}")
    return int(answer.get_json()["status"]["code"])


def row_of(api: Api, token_id: int) -> dict[str, Any]:
    return next(row for row in tokens.listed(api.context) if row["id"] == token_id)


def expire(api: Api, token_id: int) -> None:
    """Let a token's time be over, as the clock would."""
    with api.context.db.session() as connection:
        connection.execute("UPDATE lookalike.tokens SET expires_at = now() WHERE id = %s", (token_id,))


def test_a_token_works_until_it_expires(api: Api) -> None:
    made = tokens.create(
        api.context, [Scope.READ], [api.collection], "till", expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    assert code_of(api, made.token) == 200
    assert row_of(api, made.id)["state"] == "good"
    expire(api, made.id)
    assert code_of(api, made.token) == 401
    assert row_of(api, made.id)["state"] == "expired"
    with pytest.raises(InvalidRequest, match="neither revoked nor expired"):
        tokens.rotate(api.context, made.id)
    tokens.change(api.context, made.id, {"expires_at": None})
    assert code_of(api, made.token) == 200, "more time was given"


def test_a_token_is_replaced_with_all_that_it_may_do(api: Api) -> None:
    limits = Limits(5.0, 2.5, 3)
    expires = datetime.now(UTC) + timedelta(days=30)
    old = tokens.create(
        api.context, [Scope.READ, Scope.WRITE], [api.collection], "shop", expires_at=expires, limits=limits
    )
    new = tokens.rotate(api.context, old.id)
    one, other = row_of(api, old.id), row_of(api, new.id)
    for name in ("label", "scopes", "collections", "all_collections", "requests_per_second", "concurrent_searches"):
        assert one[name] == other[name], name
    assert other["replaces"] == old.id
    assert abs(other["expires_at"] - expires) < timedelta(minutes=1), "it lives as long as the other was made to"
    assert abs(one["expires_at"] - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1), "the grace"
    assert [code_of(api, token) for token in (old.token, new.token)] == [200, 200]
    expire(api, old.id)
    assert [code_of(api, token) for token in (old.token, new.token)] == [401, 200]


def test_without_a_grace_the_old_token_is_revoked_at_once(api: Api) -> None:
    old = tokens.create(api.context, [Scope.READ], None)
    new = tokens.rotate(api.context, old.id, timedelta())
    assert [code_of(api, token) for token in (old.token, new.token)] == [401, 200]
    assert row_of(api, old.id)["state"] == "revoked"
    assert new.expires_at is None
    with pytest.raises(InvalidRequest, match="neither revoked nor expired"):
        tokens.rotate(api.context, old.id)


def test_a_grace_never_lengthens_a_life(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    old = tokens.create(api.context, [Scope.READ], None, expires_at=soon)
    later = soon + timedelta(days=9)
    new = tokens.rotate(api.context, old.id, timedelta(days=7), later)
    assert (row_of(api, old.id)["expires_at"], row_of(api, new.id)["expires_at"]) == (soon, later)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "name what is to change"),
        ({"digest": b"x"}, "name what is to change"),
        ({"label": "two\nlines"}, "label: it is a text of at most 200 characters"),
        ({"label": "x" * 201}, "label: it is a text of at most 200 characters"),
        ({"label": "\ud800"}, "label"),
        ({"requests_per_second": 0.0}, "requests_per_second: it is a number from 0.001"),
        ({"pictures_per_second": float("nan")}, "pictures_per_second: it is a number"),
        ({"requests_per_second": float("inf")}, "requests_per_second: it is a number"),
        ({"concurrent_searches": 0}, "concurrent_searches: it is a whole number from 1"),
    ],
)
def test_what_no_token_can_be_is_refused(api: Api, changes: dict[str, Any], said: str) -> None:
    made = tokens.create(api.context, [Scope.READ], None, "kept")
    before = row_of(api, made.id)
    with pytest.raises(InvalidRequest, match=said):
        tokens.change(api.context, made.id, changes)
    assert row_of(api, made.id) == before


def test_a_token_that_is_not_there_is_named(api: Api) -> None:
    for act in (tokens.revoke, tokens.rotate, lambda context, one: tokens.change(context, one, {"label": "a"})):
        with pytest.raises(InvalidRequest, match="there is no token 987654"):
            act(api.context, 987654)
    with pytest.raises(InvalidRequest, match="for a year at most"):
        tokens.rotate(api.context, 1, timedelta(days=367))
    with pytest.raises(InvalidRequest, match="for a year at most"):
        tokens.rotate(api.context, 1, timedelta(seconds=-1))


@pytest.mark.parametrize(
    "text", ["", "soon", "1", "-1d", "1y", "2020-01-01T00:00:00Z", "2099-01-01", "2999-01-01T00:00:00Z", "0d", "99999w"]
)
def test_what_is_no_moment_ahead_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^expires: "):
        moment_of(text, "expires")


def test_whiles_and_moments_are_read() -> None:
    assert [while_of(text, "x").total_seconds() for text in ("90d", "12 h", "0s", "2w")] == [7776000, 43200, 0, 1209600]
    assert moment_of("2099-01-31T12:00:00+02:00", "x") == datetime(2099, 1, 31, 10, tzinfo=UTC)
    with pytest.raises(InvalidRequest, match=r"^grace: "):
        while_of("1.5h", "grace")


def test_the_use_of_a_token_is_written_once_a_minute_at_most(api: Api) -> None:
    made = tokens.create(api.context, [Scope.READ], None)
    uses = TokenUse(api.context.db)
    uses.noted(made.id)
    assert row_of(api, made.id)["last_used_at"] is None, "nothing is written while a request runs"
    uses.write()
    first = row_of(api, made.id)["last_used_at"]
    assert first is not None
    uses.noted(made.id)
    uses.write()
    assert row_of(api, made.id)["last_used_at"] == first, "within the minute nothing is written again"
    uses.write(timedelta())
    second = row_of(api, made.id)["last_used_at"]
    assert second > first
    uses.write(timedelta())
    assert row_of(api, made.id)["last_used_at"] == second, "it was not used since"


def test_a_request_notes_the_use_of_its_token(api: Api) -> None:
    api.context.lookup.uses.write(timedelta())
    made = tokens.create(api.context, [Scope.READ], None)
    assert code_of(api, made.token) == 200
    api.context.lookup.uses.write()
    assert row_of(api, made.id)["last_used_at"] is not None


def acts(api: Api, **given: Any) -> list[dict[str, Any]]:
    api.context.audit.flush()
    return api.context.audit.entries(collection=api.collection, **given)


def test_what_changes_something_is_noted_and_what_reads_is_not(api: Api, new_token: Callable[..., str]) -> None:
    api.call("insert", {"records": [{"_id": "0", "_base64": picture(0), "secret": "hush"}]}, X_Request_ID="one-1")
    api.post("visualKNN", dict(PING), code=200)
    api.post("get", {"records": [{"_id": "0"}]})
    api.post("update", {"records": [{"_id": "0", "secret": "hush"}]})
    api.call("delete", {"records": [{"_id": "0"}]}, Authorization=f"Token {new_token('read')}", X_Request_ID="two-2")
    api.post("insert", {"records": "none"}, code=402)
    found = acts(api)
    assert [(row["action"], row["code"]) for row in found] == [
        ("insert", 400),
        ("delete", 403),
        ("update", 200),
        ("insert", 200),
    ], "newest first; what was refused, too"
    assert (found[3]["request_id"], found[1]["request_id"]) == ("one-1", "two-2")
    assert "hush" not in str(found), "nothing of the data"
    assert found[0]["token_id"] != found[1]["token_id"]
    view = "SELECT action, code, collection, request_id FROM lookalike.audit WHERE collection = %s"
    told = api.context.db.read(lambda connection: connection.execute(view, (api.collection,)).fetchall())
    assert [row["action"] for row in told] == [row["action"] for row in found]


def test_jobs_uploads_and_duplicates_are_noted_by_their_path(api: Api) -> None:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    upload = api.client.post("/jobs/v1/uploads", headers=sent).get_json()["upload"]
    api.client.get(f"/jobs/v1/uploads/{upload}", headers=sent)
    api.client.post("/jobs/v1/jobs/999999999/cancel", headers=sent)
    api.client.post("/duplicates/v1/state", headers=sent, json={})
    api.client.post("/duplicates/v1/dismiss", headers=sent, json={"records": []})
    api.context.audit.flush()
    token_id = api.context.lookup.principal(api.token).token_id  # type: ignore[union-attr]
    found = api.context.audit.entries(token_id=token_id)
    assert [(row["action"], row["target"], row["code"]) for row in reversed(found)] == [
        ("POST /jobs/v1/uploads", None, 200),
        ("POST /jobs/v1/jobs/<job_id>/cancel", "999999999", 404),
        ("POST /duplicates/v1/dismiss", None, 400),
    ]


def test_a_request_without_a_good_token_is_nobody_s(api: Api) -> None:
    before = len(api.context.audit.entries(most=1000))
    api.call("insert", {"records": []}, Authorization="Token nobody")
    api.client.post("/console/sign-in", data={"token": "nobody"})
    api.context.audit.flush()
    assert len(api.context.audit.entries(most=1000)) == before


def test_entries_are_for_administrators_of_everything(api: Api) -> None:
    audit = api.context.audit
    everything = Principal(1, frozenset({Scope.ADMIN}), None)
    assert isinstance(audit.entries(everything, most=1), list)
    for principal in (
        Principal(1, frozenset({Scope.WRITE}), None),
        Principal(1, frozenset({Scope.ADMIN}), frozenset({1})),
    ):
        with pytest.raises(Forbidden):
            audit.entries(principal)
    for wrong in ({"most": 0}, {"most": 1001}, {"collection": "a\x00"}):
        with pytest.raises(InvalidRequest):
            audit.entries(**wrong)


def test_entries_are_paged(api: Api) -> None:
    now = datetime.now(UTC)
    audit_table.add(
        api.context.db, [Act(now + timedelta(seconds=n), f"act-{n}", 200, collection=api.collection) for n in range(5)]
    )
    first = acts(api, most=2)
    second = acts(api, most=2, before=first[-1]["id"])
    assert [row["action"] for row in first + second] == ["act-4", "act-3", "act-2", "act-1"]
    assert [row["action"] for row in acts(api, since=now + timedelta(seconds=4))] == ["act-4"]


def test_entries_are_kept_for_so_many_days(api: Api) -> None:
    now = datetime.now(UTC)
    days = api.context.settings.audit_days
    kept, old = now - timedelta(days=days - 1), now - timedelta(days=days + 1)
    audit_table.add(api.context.db, [Act(at, "act", 200, collection=api.collection) for at in (old, kept)])
    expiring.sweep(api.context)
    assert [row["at"] for row in acts(api)] == [kept]


def test_nothing_is_noted_for_no_days(api: Api) -> None:
    audit = Audit(api.context.db, 0)
    audit.open()
    audit.note(Act(datetime.now(UTC), "act", 200, collection=api.collection))
    audit.trim()
    audit.close()
    assert acts(api) == []


class Away(LookalikeError):
    """What a database that is away raises."""


def test_what_the_database_cannot_take_waits_and_is_counted_once_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Audit(api.context.db, 1)
    act = Act(datetime.now(UTC), "act", 200, collection=api.collection)

    def away(*_: object) -> None:
        raise Away("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(audit_table, "add", away)
        for _ in range(10_000):
            audit.note(act)
        audit.flush()
        assert (audit.waiting, audit.lost) == (10_000, 0)
        audit.note(act)
        assert (audit.waiting, audit.lost) == (10_000, 1)
    audit.flush()
    assert audit.waiting == 0
    assert len(acts(api, most=1000)) == 1000


def shell(api: Api, *arguments: str) -> Mapping[str, Any]:
    environment = {**os.environ, "DATABASE_URL": api.context.db.url, "LOOKALIKE_HOME": str(api.context.settings.home)}
    done = run(arguments, environment)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def test_tokens_on_the_command_line(api: Api) -> None:
    options = ("--label", "shop", "--expires", "30d", "--requests-per-second", "5", "--concurrent-searches", "2")
    made = orjson.loads(shell(api, "token", "create", "--collection", api.collection, *options, "--json")["out"])
    assert code_of(api, made["token"]) == 200
    turned = orjson.loads(shell(api, "token", "rotate", str(made["id"]), "--grace", "0s", "--json")["out"])
    assert (turned["replaces"], [code_of(api, one["token"]) for one in (made, turned)]) == (made["id"], [401, 200])
    changed = ("--label", "kiosk", "--never-expires", "--no-limit", "requests-per-second", "--pictures-per-second", "7")
    assert shell(api, "token", "change", str(turned["id"]), *changed)["code"] == 0
    row = row_of(api, turned["id"])
    assert (row["label"], row["expires_at"], row["requests_per_second"], row["pictures_per_second"]) == (
        "kiosk",
        None,
        None,
        7.0,
    )
    line = next(one for one in shell(api, "token", "list")["out"].splitlines() if one.split()[0] == str(turned["id"]))
    assert line.endswith(
        f"{api.collection}  kiosk (never used, in place of {made['id']}, 7 pictures a second, 2 searches at once)"
    )
    found = {row["action"]: row for row in api.context.audit.entries(most=3)}
    assert {(row["who"], row["code"]) for row in found.values()} == {(getpass.getuser(), 0)}
    assert found["token create"]["target"] == api.collection
    assert found["token rotate"]["target"] == str(made["id"])
    assert made["token"] not in str(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("token", "create", "--expires", "yesterday"), "--expires: it is a while from now"),
        (("token", "create", "--requests-per-second", "0"), "requests_per_second: it is a number from 0.001"),
        (("token", "create", "--label", "a\nb"), "label: it is a text"),
        (("token", "rotate", "987654"), "there is no token 987654"),
        (("token", "rotate", "1", "--grace", "-1d"), "--grace: it is a while"),
        (("token", "rotate", "nobody"), "'nobody' is not a valid integer"),
        (("token", "change", "1"), "name what is to change"),
        (("token", "change", "1", "--expires", "1d", "--never-expires"), "not both"),
        (("token", "change", "1", "--requests-per-second", "1", "--no-limit", "requests-per-second"), "is given, and"),
        (("audit", "--last", "ever"), "--last: it is a while"),
        (("audit", "-n", "0"), "is not in the range"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_mistakes_on_the_command_line(api: Api, arguments: tuple[str, ...], said: str) -> None:
    before = tokens.listed(api.context)
    done = shell(api, *arguments)
    assert done["code"] != 0
    assert said in done["err"]
    assert tokens.listed(api.context) == before


def test_the_audit_log_on_the_command_line(api: Api) -> None:
    shell(api, "collection", "drop", "nowhere-at-all", "--yes")
    audit_table.add(api.context.db, [Act(datetime.now(UTC), "insert", 200, 1, None, api.collection, None, "request-1")])
    out = shell(api, "audit", "--collection", api.collection, "--last", "1h", "--json")["out"]
    assert [row["request_id"] for row in orjson.loads(out)] == ["request-1"]
    lines = shell(api, "audit", "-n", "1000")["out"].splitlines()
    assert "insert" in lines[-1]
    dropped = next(line for line in reversed(lines) if "collection drop" in line)
    assert dropped.endswith("nowhere-at-all")
    assert dropped.split()[2] == "1", "it failed"


def test_the_server_s_role_adds_entries_and_changes_none(api: Api) -> None:
    """The rights come from one function; the roles' own tests run it for all tables."""
    with api.context.db.session() as connection:
        connection.execute("BEGIN")
        try:
            connection.execute(roles.text().encode())  # roles belong to the whole server: another test's may be there
            connection.execute("SET LOCAL ROLE lookalike_app")
            connection.execute("INSERT INTO lookalike.audit_log (action, code) VALUES ('a', 1)")
            connection.execute("UPDATE lookalike.tokens SET last_used_at = now()")
            connection.execute("DELETE FROM lookalike.audit_log WHERE action = 'a'")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("UPDATE lookalike.audit_log SET code = 2")
        finally:
            connection.execute("ROLLBACK")


def test_the_log_is_written_by_itself(api: Api) -> None:
    api.fill(1)
    found = eventually(lambda: api.context.audit.entries(collection=api.collection), bool)
    assert found[0]["action"] == "insert"
