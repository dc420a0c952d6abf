"""A collection is copied: all of it, as of one moment, or nothing; by whoever may make collections."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.db import copying
from app.domain.errors import CollectionNotFound
from app.domain.jobs import Job
from app.domain.tokens import Scope
from app.services import aliases, collections, indexing, tokens
from app.services.jobs.kinds import KINDS
from app.services.jobs.working import Workers
from tests.api.conftest import Api, picture
from tests.support.jobs import QUICK, until


@pytest.fixture(scope="module")
def source(shared: Api) -> Api:
    """A collection with kept pictures, a declared field, a product field, records that expire and one that has."""
    kept = collections.create(shared.context, f"{shared.collection}-kept", "photo", capacity=100, keep_images=True)
    made = replace(shared, collection=kept.name)
    made.fill(12)
    soon = {"_id": "soon", "_base64": picture(50), "_expires_at": "2120-01-01T00:00:00Z", "_box": [0, 0, 80, 80]}
    gone = {"_id": "gone", "_base64": picture(51), "_expires_at": "2020-01-01T00:00:00Z"}
    made.post("insert", {"records": [soon, gone]}, code=210)
    collections.change(made.context, made.collection, {"product_field": "n"})
    indexing.declare_field(made.context, collections.get(made.context, made.collection), "price")
    return made


@pytest.fixture(scope="module")
def workers(source: Api) -> Iterator[Workers]:
    context = replace(source.context, settings=source.context.settings.model_copy(update={"index_rows": 5}))
    made = Workers(context, 1, QUICK, [*KINDS.values()])
    made.start()
    yield made
    made.stop(10)
    made.join()


def asked(api: Api, body: Any, token: str | None = None) -> Any:
    headers = {"Authorization": f"Token {token or api.token}", "collection-id": api.collection}
    return api.client.post("/jobs/v1/copy", json=body, headers=headers).get_json()


def copied(api: Api, to: str) -> Job:
    answer = asked(api, {"to": to})
    assert answer["status"]["code"] == 200, answer
    return until(api.context, int(answer["id"]), lambda one: one.ended)


def rows(api: Api, name: str, kind: str) -> list[Any]:
    of = collections.get(api.context, name)
    table, column = {
        "records": (
            of.records_table,
            "(r.attributes, r.embedding, r.digest, r.created_at, r.updated_at, r.expires_at)",
        ),
        "thumbnails": (f"thumbnails_{of.id}", "r.webp"),
        "originals": (f"originals_{of.id}", "(r.picture, r.box)"),
    }[kind]
    return api.context.db.all(
        f"SELECT r.id, ({column})::text AS rest FROM lookalike.{table} AS r WHERE r.id <> 'gone' ORDER BY r.id"
    )


def test_everything_is_copied_and_stands_by_itself(source: Api, workers: Workers) -> None:
    name = f"{source.collection}-copy"
    job = copied(source, name)
    assert (job.state, job.outcome) == ("done", {"collection": name, "records": 13, "indexed": True})
    assert (job.progress.done, job.progress.total, job.progress.indexed) == (13, 13, 13)
    for kind in ("records", "thumbnails", "originals"):
        assert len(found := rows(source, name, kind)) == 13
        assert found == rows(source, source.collection, kind)
    one, other = (collections.get(source.context, each) for each in (source.collection, name))
    facts = (
        *("service", "model", "model_revision", "dimensions", "distance_scale", "capacity", "keep_images"),
        *("product_field", "expires", "indexed_fields", "thumbnails", "generation"),
    )
    assert [getattr(other, fact) for fact in facts] == [getattr(one, fact) for fact in facts]
    api = replace(source, collection=name)
    body = {"query_record": {"_id": "3"}, "k": 5, "filter": {"price": {"$lt": 90}}}
    assert api.post("visualKNN", body)["answer_records"] == source.post("visualKNN", body)["answer_records"]
    assert api.context.db.all(f'SELECT count(*) AS n FROM lookalike."{name}"') == [{"n": 13}]
    api.post("delete", {"records": [{"_id": "3"}]}, code=220)
    api.post(
        "insert", {"records": [{"_id": "3", "_base64": picture(60), "_expires_at": "2121-01-01T00:00:00Z"}]}, code=210
    )
    assert [len(rows(source, name, kind)) for kind in ("records", "thumbnails", "originals")] == [13, 13, 13]
    assert rows(source, source.collection, "records") != rows(source, name, "records")
    # A copy of the copy, which has notes of its own.
    assert copied(api, f"{name}-2").state == "done"


def test_it_is_of_one_moment_and_unseen_until_it_is_whole(source: Api) -> None:
    context, name = source.context, f"{source.collection}-moment"
    one = collections.get(context, source.collection)
    with copying.begun(context.db, one, name, 2**40) as made:
        assert sum(made.records()) == 13
        source.post("insert", {"records": [{"_id": "late", "_base64": picture(61)}]}, code=210)
        assert [sum(made.pictures(kind)) for kind in ("thumbnails", "originals")] == [13, 13]
        with pytest.raises(CollectionNotFound):
            collections.get(context, name)
        # Others make and drop collections, and write to theirs, while the copy is being made.
        collections.create(context, f"{name}-beside", "photo")
        collections.drop(context, f"{name}-beside")
        source.post("delete", {"records": [{"_id": "late"}]}, code=220)
        made.attach()
    with pytest.raises(CollectionNotFound):  # it was not finished
        collections.get(context, name)
    assert not copying.made(context.db, name, 2**40)
    left = "SELECT relname FROM pg_class WHERE relname = 'records_' || %(id)s"
    assert context.db.all(left, {"id": made.new_id}) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "parameters.to: it is a text, and must be given"),
        ({"to": 7}, "parameters.to: it is a text"),
        ({"to": "no name"}, "a collection's name has 1 to 128 letters"),
        ({"to": "copies\0"}, "parameters.to: it is a text"),
        ({"to": "{source}"}, "is a collection already: nothing was copied"),
        ({"to": "{source}-alias"}, "is an alias of '{source}' already: nothing was copied"),
        ({"to": "other", "anew": True}, "parameters.anew: this kind of job has no such parameter; it takes to"),
    ],
)
def test_what_cannot_be_copied_is_said_before_anything_is_done(source: Api, body: Any, said: str) -> None:
    aliases.set_all(source.context, {f"{source.collection}-alias": source.collection})
    given = {
        key: value.format(source=source.collection) if isinstance(value, str) else value for key, value in body.items()
    }
    answer = asked(source, given)
    assert answer["status"]["code"] == 402
    assert said.format(source=source.collection) in answer["status"]["error_description"]


def test_who_may_make_no_collection_copies_none(source: Api) -> None:
    name = f"{source.collection}-denied"
    writer = tokens.create(source.context, [Scope.WRITE], None).token
    own = tokens.create(source.context, [Scope.ADMIN], [source.collection]).token
    assert [asked(source, {"to": name}, token)["status"]["code"] for token in (writer, own)] == [403, 403]


def test_a_name_that_is_taken_meanwhile_fails_the_job_and_its_own_copy_does_not(source: Api, workers: Workers) -> None:
    context, name = source.context, f"{source.collection}-race"
    with copying.begun(context.db, collections.get(context, source.collection), name, 2**41) as made:
        job_id = int(asked(source, {"to": name})["id"])
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%begin_copy%%'"
        until(context, job_id, lambda one: one.ended or bool(context.db.all(waiting)))
        made.attach()
        made.finish(lambda: None)
    failed = until(context, job_id, lambda one: one.ended)
    assert (failed.state, failed.error) == ("failed", "a collection of this name exists already")
    assert copying.made(context.db, name, 2**41)
