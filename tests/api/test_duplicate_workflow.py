"""Duplicates as a workflow: stored pairs against brute force, groups, decisions, undo, the trash, races."""

import itertools
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors

from app import create_context
from app.db import collections, records
from app.db.duplicates import state
from app.db.engine import Database
from app.domain.collections import Collection
from app.domain.errors import CapacityExceeded, Conflict, InvalidRequest
from app.services import duplicate_bulk, duplicates, expiring, indexing
from app.services.context import Context
from app.services.duplicates import Asked, Resolution
from tests.api.conftest import Api
from tests.api.curating import DIMENSIONS, RADIUS, SCALE, attributes, chain, groups_of, made, near, put, stored


@pytest.fixture
def context(api: Api) -> Context:
    return api.context


def expected(db: Database, collection: Collection, radius: float) -> dict[tuple[str, str], float]:
    """All pairs, as PostgreSQL compares them."""
    with psycopg.connect(db.url) as connection:
        rows = connection.execute(
            "SELECT a.id, b.id, %s * (a.embedding <=> b.embedding) FROM lookalike.records AS a"
            " JOIN lookalike.records AS b USING (collection_id)"
            " WHERE collection_id = %s AND a.id < b.id AND %s * (a.embedding <=> b.embedding) <= %s",
            (SCALE, collection.id, SCALE, radius),
        ).fetchall()
    return {(one, other): distance for one, other, distance in rows}


def pairs_in_sql(db: Database, collection: Collection) -> dict[tuple[str, str], float]:
    with psycopg.connect(db.url) as connection:
        rows = connection.execute(
            "SELECT id, other_id, distance FROM lookalike.duplicates WHERE collection = %s", (collection.name,)
        ).fetchall()
    found = {(one, other): distance for one, other, distance in rows}
    assert len(found) == len(rows)
    return found


def components(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, ...]]:
    """The groups of a graph, in the plainest way."""
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    return {tuple(sorted(group)) for group in groups}


def agree(context: Context, collection: Collection) -> None:
    """The stored pairs are those of brute force, and the groups theirs, within several radii."""
    duplicates.refresh(context, collection)
    wanted = expected(context.db, collection, RADIUS)
    assert pairs_in_sql(context.db, collection) == pytest.approx(wanted, abs=1e-4)
    for radius in (RADIUS, RADIUS / 3, 0.0):
        page = duplicates.groups(context, collection, Asked(radius=radius, limit=10_000))
        linked = {pair for pair, distance in wanted.items() if distance <= radius}
        assert {tuple(group.members) for group in page.groups} == components(linked)
        assert page.total == len(page.groups)
        for group in page.groups:
            inside = [wanted[pair] for pair in itertools.combinations(group.members, 2) if pair in linked]
            size = len(group.members)
            assert group.complete == (len(inside) == size * (size - 1) // 2)
            assert group.widest == pytest.approx(max(inside), abs=1e-4)
            held = {pair for pair in linked if wanted[pair] <= group.weakest + 1e-4}
            assert tuple(group.members) in components(held)
            less = {pair for pair in linked if wanted[pair] < group.weakest - 1e-4}
            assert tuple(group.members) not in components(less)


def names(count: int) -> list[str]:
    return [f"r{n:04}" for n in range(count)]


def test_a_scan_finds_what_brute_force_does_and_stays_up_to_date(context: Context) -> None:
    collection = made(context)
    ids = names(300)
    put(context.db, collection, near(300, copies=30), ids)
    seen: list[tuple[int, int]] = []
    after = duplicates.scan(context, collection, RADIUS, progress=lambda done, total: seen.append((done, total)))
    assert (after.pending, after.completed_at is not None, seen[0], seen[-1]) == (0, True, (0, 300), (300, 300))
    agree(context, collection)
    # The first of the copies goes, and others with it; new ones come, of old vectors and among themselves.
    records.delete(context.db, collection, [ids[0], *ids[5:40]])
    put(context.db, collection, near(60, seed=0, copies=5), [f"a{n}" for n in range(60)])
    with psycopg.connect(context.db.url) as connection:
        connection.execute(
            "UPDATE lookalike.records AS r SET embedding = o.embedding FROM lookalike.records AS o"
            " WHERE r.collection_id = %s AND o.collection_id = r.collection_id AND r.id = ANY (%s) AND o.id = %s",
            (collection.id, ids[100:120], ids[200]),
        )
    before = state(context.db, collection)
    assert before is not None
    assert before.pending == 1 + 35 + 60 + 20
    agree(context, collection)
    assert duplicates.refresh(context, collection).pending == 0


def test_attributes_alone_and_rolled_back_writes_are_no_changes(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(20), names(20))
    duplicates.scan(context, collection, RADIUS)
    with psycopg.connect(context.db.url) as connection:
        connection.execute(
            "UPDATE lookalike.records SET attributes = attributes || '{\"x\": 1}' WHERE collection_id = %s",
            (collection.id,),
        )
        connection.commit()
        connection.execute("DELETE FROM lookalike.records WHERE collection_id = %s", (collection.id,))
        connection.rollback()
    known = state(context.db, collection)
    assert known is not None
    assert known.pending == 0
    with psycopg.connect(context.db.url) as connection:
        connection.execute(f"TRUNCATE lookalike.records_{collection.id} CASCADE")
    duplicates.refresh(context, collection)
    assert pairs_in_sql(context.db, collection) == {}
    assert duplicates.groups(context, collection, Asked()).total == 0


def test_a_scan_that_was_interrupted_goes_on_where_it_was(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.duplicates.BLOCK", 40)
    monkeypatch.setattr("app.db.pairs.BLOCK", 40)
    collection = made(context)
    ids = names(200)
    put(context.db, collection, near(200, copies=20), ids)

    def stop(done: int, total: int) -> None:
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        duplicates.scan(context, collection, RADIUS, progress=stop)
    begun = state(context.db, collection)
    assert begun is not None
    assert begun.completed_at is None
    assert begun.compared_to is not None
    with pytest.raises(Conflict, match="not complete"):
        duplicates.groups(context, collection, Asked())
    # What is written in between counts, on both sides of where it stopped.
    records.delete(context.db, collection, [ids[0], ids[150]])
    put(context.db, collection, near(10), [f"q{n}" for n in range(5)] + [f"s{n}" for n in range(5)])
    seen: list[int] = []
    duplicates.scan(context, collection, RADIUS, progress=lambda done, _: seen.append(done))
    assert seen[0] >= 100
    agree(context, collection)


def test_another_radius_or_other_vectors_ask_for_another_scan(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(30), names(30))
    with pytest.raises(Conflict, match="not stored"):
        duplicates.groups(context, collection, Asked())
    duplicates.scan(context, collection, RADIUS / 2)
    with pytest.raises(InvalidRequest, match=r"beyond 0\.5"):
        duplicates.groups(context, collection, Asked(radius=RADIUS))
    duplicates.scan(context, collection, RADIUS)
    agree(context, collection)
    with psycopg.connect(context.db.url) as connection:
        connection.execute(
            "UPDATE lookalike.duplicate_scans SET generation = 7 WHERE collection_id = %s", (collection.id,)
        )
    with pytest.raises(Conflict, match="made anew"):
        duplicates.groups(context, collection, Asked())
    duplicates.scan(context, collection, RADIUS)
    agree(context, collection)
    assert duplicates.forget(context, collection)
    assert not duplicates.forget(context, collection)
    put(context.db, collection, near(5), [f"z{n}" for n in range(5)])
    with psycopg.connect(context.db.url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM lookalike.duplicate_changes WHERE collection_id = %s", (collection.id,)
        )
        assert row.fetchone() == (0,)


@pytest.fixture(scope="module")
def chained(app_context: tuple[Any, Context]) -> Collection:
    """Such a collection for tests that change nothing."""
    return chain(app_context[1])


def test_a_chain_is_told_from_a_group_whose_members_are_all_alike(context: Context) -> None:
    collection = chain(context)
    page = duplicates.groups(context, collection, Asked())
    assert [(group.members, group.complete) for group in page.groups] == [(["a", "b", "c"], False), (["x", "y"], True)]
    assert (page.total, page.records) == (2, 5)
    assert page.groups[0].weakest == pytest.approx(SCALE * (1 - np.cos(0.15)), abs=0.01)
    pairs = duplicates.pairs(context, collection, ["a", "b", "c", "x", "y"], None, 100)
    assert {(pair.one, pair.other) for pair in pairs} == {("x", "y"), ("a", "b"), ("b", "c")}
    assert pairs[0].distance == 0
    assert pairs[0].same_file
    assert groups_of(context, collection, radius=0.1) == [["x", "y"]]
    assert groups_of(context, collection, order="nearness") == [["x", "y"], ["a", "b", "c"]]
    by_age = ("UPDATE lookalike.records SET created_at = now() + interval '1 day' WHERE id = %(id)s", {"id": "y"})
    context.db.write(lambda connection: connection.execute(*by_age))
    assert groups_of(context, collection, order="age") == [["x", "y"], ["a", "b", "c"]]
    newest, earlier = duplicates.groups(context, collection, Asked(order="age")).groups[0].newest, page.groups[1].newest
    assert newest is not None
    assert earlier is not None
    assert newest > earlier
    assert groups_of(context, collection, member="b") == [["a", "b", "c"]]
    assert groups_of(context, collection, offset=1, limit=1) == [["x", "y"]]
    assert groups_of(context, collection, offset=2) == []


def row(context: Context, collection: Collection, record_id: str) -> tuple[Any, ...] | None:
    """A record with all that belongs to it."""
    with psycopg.connect(context.db.url) as connection:
        return connection.execute(
            "SELECT r.attributes, r.embedding::text, r.digest, r.created_at, t.webp, o.picture, o.box"
            " FROM lookalike.records AS r LEFT JOIN lookalike.thumbnails AS t USING (collection_id, id)"
            " LEFT JOIN lookalike.originals AS o USING (collection_id, id) WHERE r.collection_id = %s AND r.id = %s",
            (collection.id, record_id),
        ).fetchone()


def test_a_decision_moves_records_into_the_trash_and_undo_brings_them_back_whole(context: Context) -> None:
    collection = chain(context)
    before = row(context, collection, "a")
    decision = duplicates.resolve(context, collection, Resolution(["b"], ["a", "c"]), "token 7")
    assert stored(context, collection) == {"b", "x", "y", "z"}
    assert groups_of(context, collection) == [["x", "y"]]
    shown, total = duplicates.trashed(context, collection, 10)
    assert ([one.id for one in shown], total) == (["c", "a"], 2)
    assert {(one.removed_by, one.decision) for one in shown} == {("token 7", decision)}
    assert (shown[0].purge_at - shown[0].removed_at).days == 30
    assert duplicates.undo(context, collection, decision, "token 8") == {"a": "restored", "c": "restored"}
    assert row(context, collection, "a") == before
    assert duplicates.trashed(context, collection, 10) == ([], 0)
    assert groups_of(context, collection) == [["a", "b", "c"], ["x", "y"]]
    (made_one,) = duplicates.history(context, collection, 10)
    assert (made_one.kind, made_one.members, made_one.removed) == ("resolved", ["a", "b", "c"], ["a", "c"])
    assert (made_one.made_by, made_one.undone_by) == ("token 7", "token 8")
    with pytest.raises(Conflict, match="undone already"):
        duplicates.undo(context, collection, decision, "token 8")
    with pytest.raises(InvalidRequest, match="no decision 0"):
        duplicates.undo(context, collection, 0, "token 8")


@pytest.mark.parametrize(
    ("keep", "remove", "merge", "message"),
    [
        ([], ["a"], None, "last copy"),
        (["a"], [], None, "no record is removed"),
        (["a", "b"], ["b"], None, "either kept or removed"),
        (["a", "b"], ["c"], {}, "keep one only"),
        (["a"], ["b"], {"shop": "sum"}, "'sum'"),
        (["a"], ["b"], {"shop": 1}, "'1'"),
        (["a"], ["b"], {"_merged_ids": "yes"}, "_merged_ids"),
    ],
)
def test_a_decision_that_is_none_changes_nothing(
    context: Context, keep: list[str], remove: list[str], merge: dict[str, Any] | None, message: str
) -> None:
    collection = made(context)
    put(context.db, collection, near(3), ["a", "b", "c"])
    with pytest.raises(InvalidRequest, match=message):
        duplicates.resolve(context, collection, Resolution(keep, remove, merge), "me")
    assert stored(context, collection) == {"a", "b", "c"}
    assert duplicates.history(context, collection, 10) == []


def test_a_command_that_ends_says_nothing_of_an_index_that_it_did_not_build(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    collection = made(context)
    ended = create_context(context.settings, context.db.url)
    ended.open()
    ended.close()
    indexing._build(ended, collection)
    assert caplog.text == ""
    ended.closed.clear()  # as that of a server whose database is away
    indexing._build(ended, collection)
    assert "was not built" in caplog.text


def test_of_two_curators_one_wins_and_the_other_is_told(context: Context) -> None:
    collection = made(context)
    outcomes: list[str] = []

    def decide(keep: str) -> str:
        others = [one for one in "abcde" if one != keep]
        try:
            duplicates.resolve(context, collection, Resolution([keep], others), keep)
        except Conflict as error:
            return str(error)
        return "won"

    for _ in range(5):
        put(context.db, collection, near(5), "abcde")
        with ThreadPoolExecutor(4) as pool:
            outcomes += pool.map(decide, "abcd")
        assert len(records.existing(context.db, collection, list("abcde"))) == 1
        records.delete(context.db, collection, list("abcde"))
    assert outcomes.count("won") == 5
    assert all("somebody else has decided about it" in one for one in outcomes if one != "won")
    with pytest.raises(Conflict, match="is not stored"):
        duplicates.dismiss(context, collection, ["a", "b"], "late")


def test_a_dismissal_holds_for_exactly_its_members(context: Context) -> None:
    collection = chain(context)
    decision = duplicates.dismiss(context, collection, ["c", "a", "b"], "me")
    assert groups_of(context, collection) == [["x", "y"]]
    assert groups_of(context, collection, state="dismissed") == [["a", "b", "c"]]
    assert groups_of(context, collection, state="all") == [["a", "b", "c"], ["x", "y"]]
    # It holds for what is left of them, and asks again once another joins.
    records.delete(context.db, collection, ["c"])
    assert groups_of(context, collection) == [["x", "y"]]
    vector = np.zeros((1, DIMENSIONS), np.float32)
    vector[0, :2] = np.cos(0.05), np.sin(0.05)
    put(context.db, collection, vector, ["d"])
    assert groups_of(context, collection) == [["a", "b", "d"], ["x", "y"]]
    records.delete(context.db, collection, ["d"])
    assert duplicates.undo(context, collection, decision, "me") == {}
    assert groups_of(context, collection) == [["x", "y"], ["a", "b"]]
    for few in ([], ["a"], ["a", "a"]):
        with pytest.raises(InvalidRequest, match="at least two"):
            duplicates.dismiss(context, collection, few, "me")


MERGES: Sequence[tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": 1}, {"a": 2, "b": 3}, {}, {"a": 1, "b": 3}),
    ({"tags": ["x"]}, {"tags": ["y", "x"]}, {}, {"tags": ["x", "y"]}),
    ({}, {"tags": ["y"]}, {}, {"tags": ["y"]}),
    ({"tags": "x"}, {"tags": ["y"]}, {}, {"tags": "x"}),
    ({"tags": "x"}, {"tags": ["y"]}, {"tags": "union"}, {"tags": ["x", "y"]}),
    ({"price": 5}, {"price": 3.5}, {"price": "min"}, {"price": 3.5}),
    ({"price": 5}, {"price": 3.5}, {"price": "max"}, {"price": 5}),
    ({"price": "much"}, {"price": "less"}, {"price": "max"}, {"price": "much"}),
    ({"a": None}, {"a": 2}, {}, {"a": 2}),
    ({"a": 1}, {"a": None, "b": None}, {}, {"a": 1}),
    ({}, {"a": 2, "b": 1}, {"*": "keep", "b": "missing"}, {"b": 1}),
    ({"t": ["x"]}, {"t": ["y"]}, {"*": "missing"}, {"t": ["x"]}),
    ({}, {"_expires_at": "2030-01-01T00:00:00Z"}, {}, {}),
    ({"_merged_ids": ["q"]}, {"_merged_ids": ["p"]}, {"_merged_ids": True}, {"_merged_ids": ["other", "p", "q"]}),
    ({}, {"_merged_ids": ["p"]}, {}, {}),
]


@pytest.mark.parametrize(("kept", "other", "rules", "wanted"), MERGES)
def test_attributes_are_merged_by_rules(
    context: Context, kept: dict[str, Any], other: dict[str, Any], rules: dict[str, Any], wanted: dict[str, Any]
) -> None:
    with psycopg.connect(context.db.url) as connection:
        row = connection.execute(
            "SELECT lookalike.merged_attributes(%s::jsonb, %s::jsonb, %s::jsonb)",
            (json.dumps(kept), json.dumps([{"id": "other", "attributes": other}]), json.dumps(rules)),
        ).fetchone()
    assert row == (wanted,)


def test_a_merge_is_previewed_and_undone_where_nobody_changed_it_since(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(2), ["a", "b"])
    with psycopg.connect(context.db.url) as connection:
        for one, value in {"a": {"tags": ["x"], "n": 0}, "b": {"tags": ["y"], "brand": "B", "size": 3}}.items():
            connection.execute(
                "UPDATE lookalike.records SET attributes = %s::jsonb WHERE collection_id = %s AND id = %s",
                (json.dumps(value), collection.id, one),
            )
    wanted = {"tags": ["x", "y"], "n": 0, "brand": "B", "size": 3, "_merged_ids": ["b"]}
    rules = {"_merged_ids": True}
    assert duplicates.preview(context, collection, Resolution(["a"], ["b"], rules)) == ({"tags": ["x"], "n": 0}, wanted)
    assert attributes(context, collection, "a") == {"tags": ["x"], "n": 0}
    decision = duplicates.resolve(context, collection, Resolution(["a"], ["b"], rules), "me")
    assert attributes(context, collection, "a") == wanted
    with psycopg.connect(context.db.url) as connection:
        connection.execute(
            'UPDATE lookalike.records SET attributes = attributes || \'{"brand": "C"}\' WHERE collection_id = %s',
            (collection.id,),
        )
    duplicates.undo(context, collection, decision, "me")
    assert attributes(context, collection, "a") == {"tags": ["x"], "n": 0, "brand": "C"}
    assert attributes(context, collection, "b") == {"tags": ["y"], "brand": "B", "size": 3}


def test_merged_attributes_are_no_larger_than_an_insert_may_bring(context: Context) -> None:
    collection = made(context)
    settings = context.settings.model_copy(update={"max_attributes_bytes": 1024})
    narrow = replace(context, settings=settings)
    put(context.db, collection, near(1), ["a"], tags=["x" * 600])
    put(context.db, collection, near(1), ["b"], tags=["y" * 600])
    put(context.db, collection, near(1), ["c"], brand="B")
    before = attributes(context, collection, "a")
    with pytest.raises(InvalidRequest, match=r"merged attributes would take 12\d\d bytes, and at most 1024"):
        duplicates.preview(narrow, collection, Resolution(["a"], ["b"], {}))
    with pytest.raises(InvalidRequest, match="merged attributes would take"):
        duplicates.resolve(narrow, collection, Resolution(["a"], ["b"], {}), "me")
    assert stored(context, collection) == {"a", "b", "c"}
    assert attributes(context, collection, "a") == before
    assert duplicates.history(context, collection, 10) == []
    duplicates.resolve(narrow, collection, Resolution(["a"], ["c"], {}), "me")
    # In a bulk decision such a group is passed over, in the dry run, too.
    duplicates.scan(context, collection, RADIUS)
    for dry_run in (True, False):
        seen: list[duplicate_bulk.Applied] = []
        duplicate_bulk.apply_suggestions(
            narrow, collection, radius=None, rules=[], merge={}, made_by="me", dry_run=dry_run, report=seen.append
        )
        assert [(one.members, one.decision) for one in seen] == [(["a", "b"], None)]
        assert "would take" in str(seen[0].error)
    assert stored(context, collection) == {"a", "b"}
    # What is larger already may shrink.
    put(context.db, collection, near(1), ["d"], brand="C", big="z" * 2000, price=100)
    put(context.db, collection, near(1), ["e"], price=5)
    with pytest.raises(InvalidRequest, match="would take"):
        duplicates.resolve(narrow, collection, Resolution(["d"], ["e"], {"_merged_ids": True}), "me")
    duplicates.resolve(narrow, collection, Resolution(["d"], ["e"], {"price": "min"}), "me")
    assert attributes(context, collection, "d")["price"] == 5


def test_an_undo_that_brings_nothing_back_leaves_the_decision(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(1), ["a"], tags=["x"])
    put(context.db, collection, near(1), ["b"], tags=["y"])
    decision = duplicates.resolve(context, collection, Resolution(["a"], ["b"], {}), "me")
    merged = attributes(context, collection, "a")
    put(context.db, collection, near(1), ["b"])
    for _ in range(2):
        assert duplicates.undo(context, collection, decision, "me") == {"b": "taken"}
        assert duplicates.history(context, collection, 1)[0].undone_at is None
        assert attributes(context, collection, "a") == merged
    records.delete(context.db, collection, ["b"])
    assert duplicates.undo(context, collection, decision, "me") == {"b": "restored"}
    assert attributes(context, collection, "a") == {"tags": ["x"], "n": 0}
    with pytest.raises(Conflict, match="undone already"):
        duplicates.undo(context, collection, decision, "me")
    with psycopg.connect(context.db.url) as connection, pytest.raises(errors.NoDataFound, match="by its number"):
        connection.execute("SELECT lookalike.undo_decision(%s, NULL)", (collection.name,))


@pytest.mark.parametrize(
    ("rules", "keep", "reason"),
    [
        ([], "a", "first_id"),
        (["largest_picture"], "b", "largest_picture"),
        (["most_attributes"], "c", "most_attributes"),
        (["newest"], "c", "newest"),
        (["oldest"], "a", "oldest"),
        ([{"lowest": "price"}], "b", '{"lowest": "price"}'),
        ([{"highest": "price"}], "a", '{"highest": "price"}'),
        ([{"highest": "nothing"}, {"prefix": "c"}], "c", '{"prefix": "c"}'),
        ([{"prefer": {"field": "source", "values": ["studio", "web"]}}], "b", "prefer"),
        ([{"prefer": {"field": "source", "values": ["web"]}}, {"highest": "price"}], "a", "highest"),
    ],
)
def test_rules_suggest_which_record_is_kept(context: Context, rules: list[Any], keep: str, reason: str) -> None:
    collection = made(context)
    facts: dict[str, dict[str, Any]] = {
        "a": {"price": 9, "source": "web"},
        "b": {"price": 5, "source": ["studio", "x"]},
        "c": {"price": "cheap", "source": "web", "more": 1},
    }
    with psycopg.connect(context.db.url) as connection:
        for n, (one, values) in enumerate(facts.items()):
            put(context.db, collection, near(1), [one])
            connection.execute(
                "UPDATE lookalike.records SET attributes = %s::jsonb, created_at = now() + make_interval(days => %s)"
                " WHERE collection_id = %s AND id = %s",
                (json.dumps(values), n, collection.id, one),
            )
        connection.execute(
            "UPDATE lookalike.originals SET picture = 'a much larger picture' WHERE collection_id = %s AND id = 'b'",
            (collection.id,),
        )
    duplicates.scan(context, collection, RADIUS)
    (group,) = duplicates.groups(context, collection, Asked(rules=rules)).groups
    assert group.suggestion == keep
    assert reason in str(group.reason)


@pytest.mark.parametrize(
    "rules",
    ["oldest", {"a": 1}, ["nearest"], [1], [{"lowest": 1}], [{"lowest": "a", "highest": "b"}], [{"prefer": {}}]],
)
def test_rules_that_are_none_are_refused(context: Context, rules: Any) -> None:
    collection = chain(context)
    with pytest.raises(InvalidRequest, match="rules"):
        duplicates.groups(context, collection, Asked(rules=rules))


def test_suggestions_are_applied_to_all_groups_after_a_dry_run(context: Context) -> None:
    collection = made(context)
    ids = names(400)
    put(context.db, collection, near(400, seed=3), ids)
    duplicates.scan(context, collection, RADIUS)
    open_groups = groups_of(context, collection, limit=10_000)
    whole = [
        group.members for group in duplicates.groups(context, collection, Asked(limit=10_000)).groups if group.complete
    ]
    assert 0 < len(whole) < len(open_groups)

    def apply(*, dry_run: bool) -> list[duplicate_bulk.Applied]:
        seen: list[duplicate_bulk.Applied] = []
        number = duplicate_bulk.apply_suggestions(
            context,
            collection,
            radius=None,
            rules=["oldest"],
            merge={},
            made_by="me",
            dry_run=dry_run,
            report=seen.append,
        )
        assert number == len(seen)
        return seen

    planned = apply(dry_run=True)
    assert sorted(one.members for one in planned) == sorted(whole)
    assert len(records.existing(context.db, collection, ids)) == 400
    done = apply(dry_run=False)
    assert [(one.members, one.keep) for one in done] == [(one.members, one.keep) for one in planned]
    gone = {member for one in done for member in one.members if member != one.keep}
    assert records.existing(context.db, collection, ids) == set(ids) - gone
    assert apply(dry_run=False) == []
    for one in done:
        assert one.decision is not None
        duplicates.undo(context, collection, one.decision, "me")
    assert groups_of(context, collection, limit=10_000) == open_groups


def test_the_trash_keeps_what_it_can_and_says_what_it_cannot(context: Context) -> None:
    collection = made(context, capacity=6)
    put(context.db, collection, near(6), "abcdef")
    assert duplicates.remove(context, collection, ["b", "nobody", "a", "a"], "me") == ["a", "b"]
    put(context.db, collection, near(2), ["a", "g"])
    with pytest.raises(CapacityExceeded, match="at most 6"):
        duplicates.restore(context, collection, ["b"])
    assert duplicates.trashed(context, collection, 10)[1] == 2
    records.delete(context.db, collection, ["g", "f"])
    assert duplicates.restore(context, collection, ["a", "b", "q"]) == {"a": "taken", "b": "restored", "q": "absent"}
    duplicates.remove(context, collection, ["a"], "me")
    # Of two that were removed under one id the latest comes back, then the one before.
    assert [one.id for one in duplicates.trashed(context, collection, 10)[0]] == ["a", "a"]
    assert duplicates.restore(context, collection, ["a"]) == {"a": "restored"}
    assert duplicates.restore(context, collection, ["a"]) == {"a": "taken"}
    with psycopg.connect(context.db.url) as connection:
        connection.execute("UPDATE lookalike.trash SET generation = 9 WHERE collection_id = %s", (collection.id,))
    records.delete(context.db, collection, ["a"])
    assert duplicates.restore(context, collection, ["a"]) == {"a": "other_model"}
    assert duplicates.purge(context, collection, ["q"]) == 0
    assert duplicates.purge(context, collection) == 1
    assert duplicates.trashed(context, collection, 10) == ([], 0)


def test_what_is_due_does_not_come_back_and_is_purged(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(3), "abc")
    duplicates.remove(context, collection, ["a"], "me", days=0)
    duplicates.remove(context, collection, ["b"], "me")
    assert duplicates.restore(context, collection, ["a"]) == {"a": "absent"}
    assert [one.id for one in duplicates.trashed(context, collection, 10)[0]] == ["b"]
    expiring.sweep(context)
    with psycopg.connect(context.db.url) as connection:
        rows = connection.execute(
            "SELECT id FROM lookalike.trash WHERE collection_id = %s", (collection.id,)
        ).fetchall()
    assert rows == [("b",)]
    assert duplicates.restore(context, collection, ["b"]) == {"b": "restored"}
    for days in (-1.0, 1e9, float("nan")):
        with pytest.raises(InvalidRequest, match="0 to 36500"):
            duplicates.remove(context, collection, ["c"], "me", days=days)
    assert stored(context, collection) == {"b", "c"}


WRONG_IN_SQL: Sequence[tuple[str, str]] = [
    ("resolve_duplicates(%(c)s, '{NULL}', '{x,y}')", "an id of a record is NULL"),
    ("resolve_duplicates(%(c)s, '{NULL}', '{x,y}', '{}')", "an id of a record is NULL"),
    ("resolve_duplicates(%(c)s, '{x}', '{y,NULL}')", "an id of a record is NULL"),
    ("resolve_duplicates(%(c)s, '{x}', '{y}', '5')", "are objects"),
    ("resolve_duplicates(%(c)s, '{x}', '{y}', 'null')", "are objects"),
    ("dismiss_duplicates(%(c)s, '{x,y,NULL}')", "an id of a record is NULL"),
    ("""merged_attributes('{}', '[{"t": 1}]', '{}')""", "the others are a list"),
    ("merged_attributes('{}', '5', '{}')", "the others are a list"),
    ("duplicate_groups(%(c)s, -1)", "0 to 1000000"),
    ("duplicate_groups(%(c)s, 'NaN')", "0 to 1000000"),
    ("begin_duplicate_scan(1, 'NaN')", "0 to 1000000"),
    ("begin_duplicate_scan(1, 'Infinity')", "0 to 1000000"),
    ("suggest_keeper(%(c)s, '{x,y}', (SELECT jsonb_agg('oldest'::text) FROM generate_series(1, 51)))", "at most 50"),
]


@pytest.mark.parametrize(("call", "said"), WRONG_IN_SQL)
def test_what_is_wrong_in_sql_is_said_and_changes_nothing(
    context: Context, chained: Collection, call: str, said: str
) -> None:
    with psycopg.connect(context.db.url) as connection, pytest.raises(errors.InvalidParameterValue, match=said):
        connection.execute(f"SELECT lookalike.{call}", {"c": chained.name})
    assert stored(context, chained) == {"a", "b", "c", "x", "y", "z"}
    assert duplicates.history(context, chained, 10) == []


def test_groups_of_vectors_that_were_made_anew_are_refused_in_sql(context: Context) -> None:
    collection = chain(context)
    ways = "SET generation = 7", "SET generation = 1, completed_at = NULL"
    with psycopg.connect(context.db.url, autocommit=True) as connection:
        for way in ways:
            connection.execute(f"UPDATE lookalike.duplicate_scans {way} WHERE collection_id = %s", (collection.id,))
            with pytest.raises(errors.ObjectNotInPrerequisiteState, match="not complete, or its vectors"):
                connection.execute("SELECT FROM lookalike.duplicate_groups(%s)", (collection.name,))


def test_a_purge_of_nothing_purges_nothing(context: Context) -> None:
    collection = made(context)
    put(context.db, collection, near(2), "ab")
    duplicates.remove(context, collection, ["a", "b"], "me")
    with psycopg.connect(context.db.url, autocommit=True) as connection:
        for ids in ("NULL", "'{}'", "'{NULL}'"):
            row = connection.execute(f"SELECT lookalike.purge_trash(%s, {ids})", (collection.name,)).fetchone()
            assert row == (0,)
        row = connection.execute("SELECT lookalike.purge_trash(%s, NULL, true)", (collection.name,)).fetchone()
    assert row == (2,)


@pytest.mark.parametrize("radius", [float("nan"), float("inf"), -1.0, 2e6])
def test_a_radius_that_is_none_begins_no_scan(context: Context, radius: float) -> None:
    collection = made(context)
    with pytest.raises(InvalidRequest, match="the radius is a number"):
        duplicates.scan(context, collection, radius)
    with pytest.raises(InvalidRequest, match="the radius is a number"):
        duplicates.begin(context, collection, radius)
    assert state(context.db, collection) is None


def test_a_dry_run_refuses_what_the_decision_would(context: Context) -> None:
    collection = chain(context)
    with pytest.raises(InvalidRequest, match="'zz'"):
        duplicate_bulk.apply_suggestions(
            context,
            collection,
            radius=None,
            rules=[],
            merge={"a": "zz"},
            made_by="me",
            dry_run=True,
            report=lambda _: None,
        )
    with pytest.raises(InvalidRequest, match="not both"):
        duplicates.preview(context, collection, Resolution(["a"], ["a"], {}))


def test_a_collection_takes_everything_along_when_it_is_dropped(context: Context) -> None:
    collection = chain(context)
    duplicates.resolve(context, collection, Resolution(["x"], ["y"]), "me")
    collections.drop(context.db, collection.name)
    with psycopg.connect(context.db.url) as connection:
        for table in ("duplicate_scans", "duplicate_pairs", "duplicate_copies", "duplicate_decisions", "trash"):
            assert (
                connection.execute(f"SELECT FROM lookalike.{table} WHERE collection_id = %s", (collection.id,)).rowcount
                == 0
            )
