"""The same picture is decoded and embedded once, whoever brings it and as what."""

import base64
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import psycopg
import pytest

from app.db import collections as table
from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models.batching import BatchedEmbedder, ModelFailed
from app.embedding.models.vector_cache import VectorCache
from app.embedding.pictures import images
from app.embedding.pictures.images import decode, thumbnail
from app.services import loading, vectors
from app.services.folders import folder_items
from tests.api.conftest import Api, picture


@pytest.fixture
def work(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Pictures decoded and embedded since the test began, with an empty memory."""
    done = {"decoded": 0, "embedded": 0}
    embed, decoded = BatchedEmbedder.embed, images.decode

    def counted_embed(self: BatchedEmbedder, prepared: Sequence[Any]) -> Any:
        done["embedded"] += len(prepared)
        return embed(self, prepared)

    def counted_decode(*given: Any, **named: Any) -> Any:
        done["decoded"] += 1
        return decoded(*given, **named)

    monkeypatch.setattr(BatchedEmbedder, "embed", counted_embed)
    monkeypatch.setattr(vectors, "decode", counted_decode)
    kept = api.context.vector_cache
    object.__setattr__(api.context, "vector_cache", VectorCache(2**20))
    yield done
    object.__setattr__(api.context, "vector_cache", kept)


def thumbnails_of(api: Api, collection: str) -> dict[str, bytes]:
    own = table.get(api.context.db, collection)
    with psycopg.connect(api.context.db.url.replace("postgresql+psycopg", "postgresql")) as connection:
        query = "SELECT id, webp FROM lookalike.thumbnails WHERE collection_id = %s"
        return dict(connection.execute(query, [own.id]).fetchall())


def test_a_picture_is_computed_once_for_inserts_and_queries(api: Api, work: dict[str, int]) -> None:
    records = [{"_id": own, "_base64": picture(1)} for own in ("a", "b", "c")]
    api.post("insert", {"records": records}, code=210)
    got = api.post("visualKNN", {"query_record": {"_base64": picture(1)}, "k": 3}, code=200)
    assert [round(distance, 3) for distance in got["answer_distances"]] == [0, 0, 0]
    api.post("visualRankRecords", {"query_record": {"_base64": picture(1)}, "records": [{"_base64": picture(1)}]})
    assert work == {"decoded": 1, "embedded": 1}


def test_a_box_is_a_picture_of_its_own_and_is_checked_each_time(api: Api, work: dict[str, int]) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1), "_box": [0, 0, 80, 80]}]}, code=210)
    whole = api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200)["answer_distances"]
    part = {"_base64": picture(1), "_box": [0, 0, 80, 80]}
    boxed = api.post("visualKNN", {"query_record": part}, code=200)["answer_distances"]
    assert (whole[0] > 1, boxed[0] < 1e-3) == (True, True)
    assert work["embedded"] == 2
    for box in ([0, 0, 999, 999], [5, 5, 5, 5], "x", [0, 0, 1.5, 2], [[], {}, 1, 2]):
        answer = api.post("visualKNN", {"query_record": {"_base64": picture(1), "_box": box}})
        assert answer["status"]["code"] == 403
        assert "_box must" in answer["status"]["error_description"]
    assert work["embedded"] == 2


def test_each_model_has_its_own(api: Api, new_collection: Callable[..., str], work: dict[str, int]) -> None:
    hashes = new_collection(model="phash")
    api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200)
    api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200, collection_id=hashes)
    assert work == {"decoded": 2, "embedded": 2}


def test_thumbnails_are_right_whatever_was_asked_first(
    api: Api, new_collection: Callable[..., str], work: dict[str, int]
) -> None:
    bare = new_collection(thumbnails=False)
    api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200)
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}]}, code=210, collection_id=bare)
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}]}, code=210)
    api.post("insert", {"records": [{"_id": "b", "_base64": picture(1)}]}, code=210)
    expected = thumbnail(decode(base64.b64decode(picture(1)), ImageLimits(), target=vectors.DECODE_PIXELS))
    assert thumbnails_of(api, bare) == {}
    assert thumbnails_of(api, api.collection) == {"a": expected, "b": expected}
    assert work == {"decoded": 2, "embedded": 1}  # the query made no thumbnail


def test_requests_at_the_same_time_wait_for_one_computation(api: Api, work: dict[str, int]) -> None:
    api.fill(3)
    before = dict(work)

    def ask(number: int) -> list[float]:
        return list(api.post("visualKNN", {"query_record": {"_base64": picture(50)}}, code=200)["answer_distances"])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert work == {"decoded": before["decoded"] + 1, "embedded": before["embedded"] + 1}


def test_a_bad_picture_spoils_no_other_and_is_not_remembered(api: Api, work: dict[str, int]) -> None:
    bad = base64.b64encode(b"no picture").decode()
    records = [{"_id": str(n), "_base64": text} for n, text in enumerate([bad, picture(1), bad, picture(2)])]
    got = api.post("insert", {"records": records}, code=211)
    assert [record["_id"] for record in got["skipped_records"]] == ["0", "2"]
    assert work["embedded"] == 2
    assert api.context.vector_cache.figures().entries == 2


def test_a_model_that_fails_answers_everybody_and_the_next_request_tries_again(
    api: Api, work: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def fails(self: BatchedEmbedder, prepared: Sequence[Any]) -> Any:
            raise ModelFailed("the model failed on this picture")

        broken.setattr(BatchedEmbedder, "embed", fails)
        for _ in range(2):
            api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=500)
    api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200)


def test_a_gpu_without_memory_is_503_until_there_is_some(
    api: Api, work: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from app.embedding.models.lite0_on_torch import Lite0OnTorch  # imports torch, too: not where tests are collected

    model = Lite0OnTorch(ModelOptions(device="cpu"))
    monkeypatch.setattr(api.context.models.get("efficientnet-lite0"), "_embedder", model)
    room, forward = 2, model._forward

    def tight(batch: Sequence[Any]) -> Any:
        if len(batch) > room:
            raise torch.OutOfMemoryError
        return forward(batch)

    monkeypatch.setattr(model, "_forward", tight)
    api.fill(10)
    room = 0
    answer = api.call("visualKNN", {"query_record": {"_base64": picture(60)}})
    assert answer.status_code == 503
    assert "GPU's memory is full" in answer.get_json()["status"]["error_description"]
    room = 1
    api.post("visualKNN", {"query_record": {"_base64": picture(60)}}, code=200)


def test_a_load_embeds_copies_once_and_knows_what_the_api_has_seen(
    api: Api, work: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}]}, code=210)
    embed = BatchedEmbedder.embed

    def slow(self: BatchedEmbedder, prepared: Sequence[Any]) -> Any:
        sleep(0.3)  # the next batch comes to the model while this one is at it, with the same pictures
        return embed(self, prepared)

    monkeypatch.setattr(BatchedEmbedder, "embed", slow)
    for number in range(120):
        (tmp_path / f"{number}.png").write_bytes(base64.b64decode(picture(1 + number % 3)))
    collection = table.get(api.context.db, api.collection)
    report = loading.load(api.context, collection, folder_items(tmp_path))
    assert report.stored == 120
    assert work["embedded"] == 3
    assert len(set(thumbnails_of(api, api.collection).values())) == 3
    got = api.post("visualKNN", {"query_record": {"_id": "a"}, "k": 100, "radius": 0.01}, code=200)
    assert got["answer_count"] == 41
    assert np.allclose(got["answer_distances"], 0, atol=1e-4)
