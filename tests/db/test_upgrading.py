"""The oldest schema with data is upgraded while servers of this program are asked: the answers are what they were."""

import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.db import schema
from app.db.errors import translate
from app.domain.errors import Unavailable
from app.domain.tokens import digest
from app.embedding.models.phash import FACTS
from tests.api.conftest import picture
from tests.support.waiting import eventually

TOKEN = "upgraded-token"
RECORDS, DIMENSIONS = 300, 256
FILTER = {"price": {"$lt": 150}}


def filled(url: str) -> None:
    """Make the first schema, with all that it could hold, and a token of the second one."""
    schema.upgrade(url, schema.revisions()[0])
    vectors = np.where(np.random.default_rng(0).random((RECORDS, DIMENSIONS)) < 0.5, -1, 1) / 16
    with psycopg.connect(url) as connection:
        for number, name in enumerate(("old", "written"), 1):
            connection.execute(
                "INSERT INTO lookalike.collections (name, service, model, model_revision, dimensions, distance_scale)"
                " VALUES (%s, 'photo', 'phash', %s, %s, 62.5)",
                (name, FACTS.revision, DIMENSIONS),
            )
            for kind in ("records", "thumbnails"):
                connection.execute(
                    f"CREATE TABLE lookalike.{kind}_{number} PARTITION OF lookalike.{kind} FOR VALUES IN ({number})"
                )
        for number, vector in enumerate(vectors):
            connection.execute(
                "INSERT INTO lookalike.records_1 (collection_id, id, attributes, embedding)"
                " VALUES (1, %s, jsonb_build_object('price', %s::int, 'tags', jsonb_build_array('a', %s::text)), %s)",
                (f"r{number}", number, f"t{number % 3}", str(vector.tolist())),
            )
        connection.execute("INSERT INTO lookalike.thumbnails_1 SELECT 1, id, '\\x01' FROM lookalike.records_1")
    schema.upgrade(url, "0002")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO lookalike.tokens (digest, scopes, all_collections) VALUES (%s, ARRAY['read', 'write'], true)",
            (digest(TOKEN),),
        )


def neighbours(url: str, record_id: str) -> list[list[str]]:
    """Return the nearest 20 records, without a filter and with one, by a plain comparison of all."""
    text = (
        "SELECT r.id FROM lookalike.records_1 AS r, (SELECT embedding FROM lookalike.records_1 WHERE id = %s) AS q"
        " WHERE {} ORDER BY r.embedding <=> q.embedding, r.id LIMIT 20"
    )
    with psycopg.connect(url) as connection:
        return [
            [row[0] for row in connection.execute(text.format(where), (record_id,))]
            for where in ("true", "(r.attributes->>'price')::int < 150")
        ]


@dataclass
class Traffic:
    """Readers and writers of this program; what they were answered, by method and status."""

    flask: Flask
    before: dict[str, list[list[str]]]
    answers: Counter[str] = field(default_factory=Counter)
    stored: set[str] = field(default_factory=set)
    wrong: list[Any] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def ask(self, method: str, collection: str, body: Any) -> Any:
        headers = {"Authorization": f"Token {TOKEN}", "collection-id": collection}
        answer = self.flask.test_client().post(f"/photo/search/v2/{method}", json=body, headers=headers)
        self.answers[f"{method} {answer.status_code}"] += 1
        return answer.get_json() if answer.status_code == 200 else None

    def read(self) -> None:
        asked = [
            (record_id, *one) for record_id, ids in self.before.items() for one in zip((None, FILTER), ids, strict=True)
        ]
        for record_id, filter_, ids in itertools.cycle(asked):
            found = self.ask("visualKNN", "old", {"query_record": {"_id": record_id}, "k": 20, "filter": filter_})
            if found is not None and [one["_id"] for one in found["answer_records"]] != ids:
                self.wrong.append((record_id, filter_, found))
            if self.done.is_set():
                return

    def write(self) -> None:
        for number in itertools.count():
            if self.ask("insert", "written", {"records": [{"_id": f"w{number}", "_base64": picture(number % 40)}]}):
                self.stored.add(f"w{number}")
            if self.done.is_set():
                return


def test_answers_are_the_same_and_nothing_is_lost_while_the_schema_is_upgraded(
    empty_database: str, tmp_path: Path
) -> None:
    filled(empty_database)
    before = {record_id: neighbours(empty_database, record_id) for record_id in ("r0", "r7", "r299")}
    traffic = Traffic(create_app(Settings(home=tmp_path), empty_database), before)
    threads = [threading.Thread(target=work) for work in (traffic.read, traffic.read, traffic.write)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: traffic.answers, lambda seen: seen["visualKNN 503"] and seen["insert 503"])
        schema.upgrade(empty_database)
        eventually(lambda: traffic.answers, lambda seen: seen["visualKNN 200"] > 12 and seen["insert 200"] > 5)
    finally:
        traffic.done.set()
        for thread in threads:
            thread.join()
        traffic.flask.extensions["lookalike"].close()
    assert traffic.wrong == []
    assert {status.split()[1] for status in traffic.answers} == {"200", "503"}
    with psycopg.connect(empty_database) as connection:
        kept = {row[0] for row in connection.execute("SELECT id FROM lookalike.written")}
        whole = connection.execute(
            "SELECT count(*), count(t.webp) FROM lookalike.old AS r LEFT JOIN lookalike.thumbnails_1 AS t USING (id)"
        ).fetchone()
        found = connection.execute("SELECT array_agg(id) FROM lookalike.knn('old', 'r7', 20)").fetchone()
    assert traffic.stored <= kept
    assert whole == (RECORDS, RECORDS)
    assert found is not None
    assert set(found[0]) == set(before["r7"][0])


@pytest.mark.parametrize("error", [psycopg.errors.UndefinedColumn(), psycopg.errors.UndefinedFunction()])
def test_what_an_older_schema_lacks_is_there_soon_and_the_log_names_it(
    error: psycopg.Error, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(translate(error), Unavailable)
    assert "the database:" in caplog.text
