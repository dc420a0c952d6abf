"""Decisions about duplicates where something happened since: undo in parts and out of order, other pictures, expiry."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors

from app.db import collections, records
from app.domain.collections import Collection
from app.domain.errors import Conflict, InvalidRequest
from app.services import duplicate_bulk, duplicate_tuning, duplicates
from app.services.context import Context
from app.services.duplicates import Asked, Resolution
from tests.api.conftest import Api
from tests.api.curating import RADIUS, attributes, chain, groups_of, made, near, put, stored

PASSED = "2020-01-01T00:00:00Z"


@pytest.fixture
def context(api: Api) -> Context:
    return api.context


def change(context: Context, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(context.db.url, autocommit=True) as connection:
        done = connection.execute(statement, values)
        return list(done.fetchall()) if done.description else []


def give(context: Context, collection: Collection, **attributes: dict[str, Any]) -> None:
    """Store records that look alike, or give them other attributes."""
    coming = [one for one in attributes if one not in records.existing(context.db, collection, list(attributes))]
    put(context.db, collection, near(1).repeat(len(coming), 0), coming)
    for one, values in attributes.items():
        text = "UPDATE lookalike.records SET attributes = %s::jsonb WHERE collection_id = %s AND id = %s"
        change(context, text, json.dumps(values), collection.id, one)


def merge(context: Context, collection: Collection, keep: str, *remove: str, **rules: Any) -> int:
    return duplicates.resolve(context, collection, Resolution([keep], remove, rules), "me")


def latest(context: Context, collection: Collection) -> duplicates.Decision:
    return duplicates.history(context, collection, 1)[0]


def test_a_merge_is_taken_back_from_a_record_that_is_in_the_trash(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={"tags": ["x"]}, b={"tags": ["y"], "brand": "B"}, c={})
    first = merge(context, collection, "a", "b")
    second = merge(context, collection, "c", "a")
    assert duplicates.undo(context, collection, first, "me") == {"b": "restored"}
    assert duplicates.undo(context, collection, second, "me") == {"a": "restored"}
    assert attributes(context, collection, "a") == {"tags": ["x"]}
    assert attributes(context, collection, "b") == {"tags": ["y"], "brand": "B"}
    assert attributes(context, collection, "c") == {}
    third = merge(context, collection, "a", "b")
    duplicates.remove(context, collection, ["a"], "me")
    assert duplicates.undo(context, collection, third, "me") == {"b": "restored"}
    assert duplicates.restore(context, collection, ["a"]) == {"a": "restored"}
    assert attributes(context, collection, "a") == {"tags": ["x"]}


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_merges_are_undone_in_any_order(context: Context, order: Sequence[int]) -> None:
    collection = made(context)
    before = {"a": {"price": 5, "tags": ["x"]}, "b": {"price": 4, "tags": ["y"], "brand": "B"}}
    before |= {"c": {"price": 3, "tags": ["z"], "size": 1}, "d": {"price": 2, "tags": ["x", "w"], "brand": "D"}}
    give(context, collection, **before)
    decisions = [merge(context, collection, "a", one, price="min", _merged_ids=True) for one in "bcd"]
    assert attributes(context, collection, "a")["tags"] == ["x", "y", "z", "w"]
    for place in order:
        assert set(duplicates.undo(context, collection, decisions[place], "me").values()) == {"restored"}
    assert {one: attributes(context, collection, one) for one in "abcd"} == before


def test_what_was_changed_between_two_merges_stays(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={"price": 5}, b={"price": 4}, c={"price": 2})
    first = merge(context, collection, "a", "b", price="min")
    give(context, collection, a={"price": 3})
    second = merge(context, collection, "a", "c", price="min")
    duplicates.undo(context, collection, first, "me")
    duplicates.undo(context, collection, second, "me")
    assert attributes(context, collection, "a") == {"price": 3}


def test_what_an_undo_could_not_bring_back_is_undone_later(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={"n": 1}, b={"size": 2}, c={"brand": "C"})
    decision = merge(context, collection, "a", "b", "c")
    give(context, collection, c={})
    assert duplicates.undo(context, collection, decision, "me") == {"b": "restored", "c": "taken"}
    assert attributes(context, collection, "a") == {"n": 1}
    now = latest(context, collection)
    assert (now.undone_at, now.restored, list(now.trashed)) == (None, ["b"], ["c"])
    # What was merged is taken back once: what is as the merge had made it is now so by somebody's hand.
    give(context, collection, a={"n": 1, "size": 2})
    records.delete(context.db, collection, ["c"])
    assert duplicates.undo(context, collection, decision, "you") == {"b": "stored", "c": "restored"}
    assert attributes(context, collection, "a") == {"n": 1, "size": 2}
    assert attributes(context, collection, "c") == {"brand": "C"}
    now = latest(context, collection)
    assert (now.undone_by, now.restored) == ("you", ["b", "c"])
    with pytest.raises(Conflict, match="undone already"):
        duplicates.undo(context, collection, decision, "me")


def test_a_decision_whose_removed_were_restored_by_hand_is_undone(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={}, b={"size": 2}, c={"size": 3})
    decision = merge(context, collection, "a", "b", "c")
    assert duplicates.restore(context, collection, ["b"]) == {"b": "restored"}
    duplicates.purge(context, collection, ["c"])
    assert duplicates.undo(context, collection, decision, "me") == {"b": "stored", "c": "absent"}
    assert attributes(context, collection, "a") == {}
    assert latest(context, collection).undone_by == "me"


def test_what_cannot_come_back_is_told_by_its_reason(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={}, b={}, c={})
    decision = duplicates.resolve(context, collection, Resolution(["a"], ["b"]), "me")
    duplicates.purge(context, collection, ["b"])
    give(context, collection, b={})
    duplicates.remove(context, collection, ["b"], "me")
    # In the trash, but not by this decision.
    assert duplicates.undo(context, collection, decision, "me") == {"b": "absent"}
    change(context, "UPDATE lookalike.trash SET generation = 9 WHERE collection_id = %s", collection.id)
    assert duplicates.undo(context, collection, decision, "me") == {"b": "absent"}
    assert duplicates.restore(context, collection, ["a", "b", "q"]) == {
        "a": "stored",
        "b": "other_model",
        "q": "absent",
    }


def test_what_has_expired_in_the_trash_stays_there(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={}, b={"tags": ["y"]}, c={})
    decision = merge(context, collection, "a", "b", "c")
    change(
        context, "UPDATE lookalike.trash SET attributes = %s::jsonb WHERE id = 'b'", json.dumps({"_expires_at": PASSED})
    )
    assert duplicates.restore(context, collection, ["b"]) == {"b": "expired"}
    assert stored(context, collection) == {"a"}
    assert duplicates.undo(context, collection, decision, "me") == {"b": "expired", "c": "restored"}
    assert [one.id for one in duplicates.trashed(context, collection, 10)[0]] == ["b"]
    assert stored(context, collection) == {"a", "c"}


def test_copies_of_a_record_that_has_expired_are_a_group_yet(context: Context) -> None:
    collection = chain(context)
    put(context.db, collection, near(1).repeat(4, 0), ["k0", "k1", "k2", "k3"])
    alike = (
        "UPDATE lookalike.records AS r SET embedding = o.embedding FROM lookalike.records AS o"
        " WHERE r.collection_id = %s AND o.collection_id = r.collection_id AND o.id = 'b' AND starts_with(r.id, 'k')"
    )
    change(context, alike, collection.id)
    assert groups_of(context, collection) == [["a", "b", "c", "k0", "k1", "k2", "k3"], ["x", "y"]]
    before = duplicates.groups(context, collection, Asked()).groups[0]
    expire = "UPDATE lookalike.records SET attributes = %s::jsonb WHERE collection_id = %s AND id = ANY (%s)"
    for gone, left in ((["b", "x"], ["a", "c", "k0", "k1", "k2", "k3"]), (["k0", "a"], ["c", "k1", "k2", "k3"])):
        change(context, expire, json.dumps({"_expires_at": PASSED}), collection.id, gone)
        now = collections.get(context.db, collection.name)
        (group,) = duplicates.groups(context, now, Asked()).groups
        assert group.members == left
        assert group.weakest == pytest.approx(before.weakest, abs=0.01)
        assert group.complete == ("a" not in left)
        drawn = {one for pair in duplicate_tuning.draw(context, now, 100) for one in pair}
        assert drawn <= set(left)
    # Deleted at last, it leaves the group as it was.
    records.delete(context.db, collection, ["b", "k0", "a", "x"])
    assert groups_of(context, collection) == [["c", "k1", "k2", "k3"]]


def test_a_dismissal_does_not_outlive_the_pictures(context: Context) -> None:
    collection = chain(context)
    digest = "UPDATE lookalike.records SET digest = %s::bytea WHERE collection_id = %s AND id = %s"
    duplicates.dismiss(context, collection, ["x", "y"], "me")
    change(context, digest, None, collection.id, "a")
    duplicates.dismiss(context, collection, ["a", "b", "c"], "me")
    assert groups_of(context, collection) == []
    # Another file; the same one again.
    change(context, digest, b"another", collection.id, "x")
    assert groups_of(context, collection) == [["x", "y"]]
    decision = duplicates.resolve(context, collection, Resolution(["x"], ["y"], open_only=True), "me")
    duplicates.undo(context, collection, decision, "me")
    change(context, digest, b"d", collection.id, "x")
    assert groups_of(context, collection) == []
    with pytest.raises(Conflict, match="no duplicates"):
        duplicates.resolve(context, collection, Resolution(["x"], ["y"], open_only=True), "me")
    # Another part of the same file.
    change(
        context, "UPDATE lookalike.originals SET box = '{0,0,9,9}' WHERE collection_id = %s AND id = 'y'", collection.id
    )
    assert groups_of(context, collection) == [["x", "y"]]
    # Where no file was known, the vector tells; a file that is noted later changes nothing.
    change(context, digest, b"noted", collection.id, "a")
    assert groups_of(context, collection, state="dismissed") == [["a", "b", "c"]]
    other = (
        "UPDATE lookalike.records AS r SET embedding = o.embedding FROM lookalike.records AS o"
        " WHERE r.collection_id = %s AND o.collection_id = r.collection_id AND r.id = 'a' AND o.id = 'b'"
    )
    change(context, other, collection.id)
    assert ["a", "b", "c"] in groups_of(context, collection)


def test_a_dismissal_outlives_a_change_of_the_model(context: Context) -> None:
    collection = chain(context)
    change(context, "UPDATE lookalike.records SET digest = NULL WHERE collection_id = %s AND id = 'x'", collection.id)
    duplicates.dismiss(context, collection, ["x", "y"], "me")
    text = "SELECT member FROM lookalike.outdated_dismissals(%s, %s)"
    other = "UPDATE lookalike.records SET embedding = '[1,2,3,4,5,6,7,8]' WHERE collection_id = %s"
    assert change(context, text, collection.id, f"lookalike.records_{collection.id}") == []
    change(context, other, collection.id)
    assert change(context, text, collection.id, f"lookalike.records_{collection.id}") == [("x",)]
    change(context, "UPDATE lookalike.collections SET generation = generation + 1 WHERE id = %s", collection.id)
    assert change(context, text, collection.id, f"lookalike.records_{collection.id}") == []


def test_the_last_copy_of_a_group_is_never_removed(context: Context) -> None:
    collection = chain(context)
    for remove in (["x", "y"], ["x"], ["y", "a"], ["b"]):
        given = Resolution(["z"], remove)
        with pytest.raises(Conflict, match=f"'{min(remove)}' is in no group with one that is kept"):
            duplicates.preview(context, collection, given)
        with pytest.raises(Conflict, match=f"'{min(remove)}' is in no group with one that is kept"):
            duplicates.resolve(context, collection, given, "me")
    assert stored(context, collection) == {"a", "b", "c", "x", "y", "z"}
    # The far end of a chain, by way of a record that is not named.
    far = duplicates.resolve(context, collection, Resolution(["a"], ["c"]), "me")
    duplicates.undo(context, collection, far, "me")
    # And once more, before anybody asked for groups: what came back is compared first.
    duplicates.resolve(context, collection, Resolution(["a"], ["c"]), "me")
    duplicates.resolve(context, collection, Resolution(["x"], ["y"]), "me")
    # The twin of x is in the trash: x is the last one.
    with pytest.raises(Conflict, match="'x' is in no group"):
        duplicates.resolve(context, collection, Resolution(["z"], ["x"]), "me")
    with pytest.raises(Conflict, match="'x' is in no group"):
        duplicates.resolve(context, collection, Resolution(["a"], ["b", "x"]), "me")
    assert duplicates.remove(context, collection, ["x"], "me") == ["x"]


def test_a_pair_of_a_picture_that_was_replaced_since_links_nothing(context: Context) -> None:
    """Neither through the service, which compares what is pending and finds them unlike, nor in SQL, which cannot."""
    collection = chain(context)
    change(context, "DELETE FROM lookalike.records WHERE collection_id = %s AND id = 'y'", collection.id)
    put(context.db, collection, near(1, seed=99), ["y"])
    statement = "SELECT lookalike.resolve_duplicates(%s, '{x}', '{y}')"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="'y' is in no group"):
        change(context, statement, collection.name)
    with pytest.raises(Conflict, match="'y' is in no group"):
        duplicates.resolve(context, collection, Resolution(["x"], ["y"]), "a curator")
    assert "y" in stored(context, collection)


@pytest.mark.parametrize("trashed", [False, True])
def test_a_merge_is_not_taken_back_from_another_record_of_the_id(context: Context, *, trashed: bool) -> None:
    collection = chain(context)
    change(
        context,
        "UPDATE lookalike.records SET attributes = '{\"brand\": \"x\"}' WHERE collection_id = %s AND id = 'y'",
        collection.id,
    )
    decision = duplicates.resolve(context, collection, Resolution(["x"], ["y"], {}), "a curator")
    assert attributes(context, collection, "x")["brand"] == "x"
    if trashed:
        duplicates.remove(context, collection, ["x"], "a curator")
    else:
        change(context, "DELETE FROM lookalike.records WHERE collection_id = %s AND id = 'x'", collection.id)
    put(context.db, collection, near(1, seed=99), ["x"], brand="x")
    duplicates.undo(context, collection, decision, "a curator")
    assert attributes(context, collection, "x")["brand"] == "x"
    if trashed:
        [(kept,)] = change(
            context, "SELECT attributes FROM lookalike.trash WHERE collection_id = %s AND id = 'x'", collection.id
        )
        assert "brand" not in kept


def test_what_links_is_there(context: Context) -> None:
    """The middle of a chain is in the trash, or has expired: its ends are in no group with each other."""
    collection = chain(context)
    duplicates.remove(context, collection, ["b"], "me")
    with pytest.raises(Conflict, match="'c' is in no group"):
        duplicates.resolve(context, collection, Resolution(["a"], ["c"]), "me")


def test_copies_of_a_first_that_is_gone_are_a_group(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={}, b={}, c={})
    duplicates.scan(context, collection, RADIUS)
    give(context, collection, a={"_expires_at": PASSED})
    change(context, "SELECT lookalike.resolve_duplicates(%s, '{b}', '{c}')", collection.name)
    assert "c" not in stored(context, collection)


def test_a_record_that_is_named_twice_is_one(context: Context) -> None:
    collection = made(context)
    give(context, collection, a={}, b={"tags": ["y"]})
    given = Resolution(["a", "a"], ["b", "b"], {})
    assert duplicates.preview(context, collection, given)[1] == {"tags": ["y"]}
    decision = duplicates.resolve(context, collection, given, "me")
    assert (latest(context, collection).decision, latest(context, collection).members) == (decision, ["a", "b"])


@pytest.mark.parametrize("rule", ["_id", "_expires_at", "_base64", "_box", "_reason", "$x"])
def test_what_is_never_merged_takes_no_rule(context: Context, rule: str) -> None:
    collection = made(context)
    give(context, collection, a={}, b={})
    for way in ("union", "keep"):
        with pytest.raises(InvalidRequest, match="is never merged"):
            duplicates.preview(context, collection, Resolution(["a"], ["b"], {rule: way}))


@pytest.mark.parametrize(
    ("keep", "remove", "rules"),
    [(["a"], ["q"], {}), (["q"], ["a"], {}), (["a"], ["b", "q"], None), (["a", "q"], ["b"], None)],
)
def test_a_preview_answers_what_the_decision_would(
    context: Context, keep: list[str], remove: list[str], rules: dict[str, Any] | None
) -> None:
    collection = made(context)
    give(context, collection, a={}, b={})
    given = Resolution(keep, remove, rules)
    with pytest.raises(Conflict, match="'q' is not stored") as previewed:
        duplicates.preview(context, collection, given)
    with pytest.raises(Conflict) as refused:
        duplicates.resolve(context, collection, given, "me")
    assert str(previewed.value) == str(refused.value)


def test_a_bulk_decision_asks_for_rules(context: Context) -> None:
    collection = chain(context)
    for dry_run in (True, False):
        with pytest.raises(InvalidRequest, match="say which record of each group is kept"):
            duplicate_bulk.apply_suggestions(
                context, collection, radius=None, rules=None, merge=None, made_by="me", dry_run=dry_run, report=print
            )
    assert stored(context, collection) == {"a", "b", "c", "x", "y", "z"}


NULLS = [
    "merged_attributes(NULL, '[]')",
    "merged_attributes('{}', NULL)",
    "merged_attributes('{}', '[]', NULL)",
    "resolve_duplicates(%(c)s, NULL, '{y}')",
    "resolve_duplicates(%(c)s, '{x}', NULL)",
    "resolve_duplicates(%(c)s, '{x}', '{y}', days => NULL)",
    "preview_resolution(%(c)s, NULL, '{y}')",
    "preview_resolution(%(c)s, '{x}', '{y,NULL}')",
    "dismiss_duplicates(%(c)s, NULL)",
    "remove_to_trash(%(c)s, NULL)",
    "remove_to_trash(%(c)s, '{x,NULL}')",
    "remove_to_trash(%(c)s, '{x}', NULL)",
    "restore_from_trash(%(c)s, NULL)",
    "restore_from_trash(%(c)s, '{x,NULL}')",
    "purge_trash(%(c)s, '{x}', NULL)",
    "duplicate_groups(%(c)s, 1.0, NULL)",
]


@pytest.mark.parametrize("call", NULLS)
def test_a_null_is_refused_in_sql(context: Context, call: str) -> None:
    collection = chain(context)
    with psycopg.connect(context.db.url) as connection, pytest.raises(errors.InvalidParameterValue):
        connection.execute(f"SELECT lookalike.{call}", {"c": collection.name})
    assert stored(context, collection) == {"a", "b", "c", "x", "y", "z"}
