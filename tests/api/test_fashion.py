"""Fashion collections: tags made by the model, colours, and the searches that use the tags."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.config import Settings
from app.domain.tags import jaccard_distance
from app.domain.tokens import Scope
from app.embedding.tags import taxonomy
from app.embedding.tags.colour_names import dominant_colours
from app.services import collections, loading, tokens
from app.services.context import Context
from app.services.folders import folder_items
from tests.api.conftest import Api, Json, drawing, picture
from tests.fashion import TAXONOMY, tags_by_hand
from tests.support.answers import ids
from tests.support.waiting import eventually
from tests.textmodels import FAMILIES, SCALE, ByHand, save

RECORDS = 10
CLOSE: Any = {"abs": 0.03}  # stored vectors are of half precision
_numbers = itertools.count()


@dataclass
class Fashion(Api):
    """A fashion collection of a model that knows texts, and that model called by hand."""

    hand: Any = None
    groups: Any = None
    folder: str = ""

    def tags(self, number: int) -> list[str]:
        return [name for name, _ in tags_by_hand(self.hand, self.groups, self.hand.pictures(drawing(number))[0])]

    def stored(self, *names: str, field: str = "_tags_simple") -> list[Any]:
        body = {"records": [{"_id": name} for name in names]}
        return [record.get(field) for record in self.post("get", body, code=205)["answer_records"]]

    def collection_of(self, **given: Any) -> None:
        made = {"service": "fashion", "model": self.folder} | given
        self.collection = collections.create(self.context, f"c{next(_numbers)}", **made).name
        self.prefix = "similarity/fashion" if made["service"] == "fashion" else ""

    def fill(self, count: int = RECORDS, **request: Any) -> None:
        records = [{"_id": str(n), "_base64": picture(n)} for n in range(count)]
        self.post("insert", {"records": records, **request}, code=210)


@pytest.fixture(scope="module")
def application(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("fashion")
    (folder / "mine.toml").write_text(TAXONOMY)
    settings = Settings(home=folder, fashion_taxonomy=folder / "mine.toml")
    flask = create_app(settings, module_database_url)
    yield flask
    context: Context = flask.extensions["lookalike"]
    context.close()


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ByHand]:
    folder = save(tmp_path_factory.mktemp("model"), request.param)
    return folder, ByHand(folder, request.param)


@pytest.fixture
def fashion(application: Any, model: tuple[Path, ByHand]) -> Fashion:
    context: Context = application.extensions["lookalike"]
    token = tokens.create(context, [Scope.ADMIN], None).token
    own = taxonomy.read(context.settings.fashion_taxonomy)
    made = Fashion(application.test_client(), context, "", token, hand=model[1], groups=own, folder=str(model[0]))
    made.collection_of()
    return made


def test_tags_are_made_on_insert_as_by_hand(fashion: Fashion) -> None:
    records = [{"_id": str(n), "_base64": picture(n)} for n in range(RECORDS)]
    got = fashion.post("insert", {"records": records, "fields_to_return": ["_tags_simple"]}, code=210)
    wanted = [fashion.tags(n) for n in range(RECORDS)]
    assert [record["_tags_simple"] for record in got["answer_records"]] == wanted
    assert fashion.stored(*map(str, range(RECORDS))) == wanted
    assert len({tuple(tags) for tags in wanted}) > 2, "the model tells the pictures apart"
    assert "tags" not in got["statistics"]
    found = fashion.post("find", {"filter": {"_tags_simple": wanted[0][0]}}, code=200)
    assert sorted(ids(found)) == sorted(str(n) for n, tags in enumerate(wanted) if wanted[0][0] in tags)


@pytest.mark.parametrize("method", ["insert", "nearDupsInsert"])
@pytest.mark.parametrize(("flag", "made"), [(None, True), (True, True), (False, False)])
def test_the_flag_for_tags_is_obeyed(fashion: Fashion, method: str, flag: bool | None, made: bool) -> None:
    body = {"records": [{"_id": "1", "_base64": picture(1)}], "extract_tags": flag, "extract_colors": None}
    got = fashion.post(method, body, code=210)
    assert fashion.stored("1") == [fashion.tags(1) if made else None]
    assert "tags" not in got["statistics"]


def test_tags_that_the_caller_gives_win(fashion: Fashion) -> None:
    given: list[Any] = [["mine"], [], "mine", None, {"own": 1}]
    records = [{"_id": str(n), "_base64": picture(n), "_tags_simple": own} for n, own in enumerate(given)]
    fashion.post("insert", {"records": records, "extract_tags": True}, code=210)
    assert fashion.stored("0", "1", "2", "3", "4") == [["mine"], [], "mine", fashion.tags(3), {"own": 1}]


@pytest.mark.parametrize("flag", [None, True, False])
def test_colours_are_stored_where_they_are_asked_for(fashion: Fashion, flag: bool | None) -> None:
    own = [{"name": "teal", "share": 1}]
    records: list[Json] = [{"_id": str(n), "_base64": picture(n)} for n in range(4)]
    records.append({"_id": "own", "_base64": picture(5), "_colors": own})
    fashion.post("insert", {"records": records, "extract_colors": flag}, code=210)
    stored = fashion.stored("0", "1", "2", "3", "own", field="_colors")
    if not flag:
        assert stored == [None, None, None, None, own]
        return
    assert stored[4] == own
    for number in range(4):
        wanted = dominant_colours(drawing(number))
        assert stored[number] == [{"name": one.name, "hex": one.hex, "share": one.share} for one in wanted]
        assert stored[number][0]["share"] == max(one.share for one in wanted)
    found = fashion.post("find", {"filter": {"_colors.name": stored[0][0]["name"]}}, code=200)
    assert "0" in ids(found)


@pytest.mark.parametrize("flag", ["extract_tags", "extract_colors"])
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_flags_that_are_none_are_refused(fashion: Fashion, flag: str, value: object) -> None:
    got = fashion.post("insert", {"records": [{"_id": "1", "_base64": picture(1)}], flag: value}, code=402)
    assert flag in got["status"]["error_description"]
    assert fashion.post("getRecordCount")["answer_count"] == 0


@pytest.mark.parametrize("flag", [None, True, False])
def test_diff_a_model_of_pictures_stores_the_record_and_says_that_it_made_no_tags(
    fashion: Fashion, flag: bool | None
) -> None:
    fashion.collection_of(model="efficientnet-lite0")
    records = [{"_id": "1", "_base64": picture(1)}, {"_id": "2", "_base64": picture(2), "_tags_simple": ["mine"]}]
    got = fashion.post("insert", {"records": records, "extract_tags": flag, "extract_colors": True}, code=210)
    said = "no tags were made: the model 'efficientnet-lite0' knows pictures only, no texts"
    assert got["statistics"].get("tags") == (said if flag else None)
    assert fashion.stored("1", "2") == [None, ["mine"]]
    assert all(fashion.stored("1", "2", field="_colors"))
    fashion.post("visualTagsKNN", {"query_record": {"_base64": picture(1)}}, code=200)


@pytest.mark.parametrize("service", ["photo", "products", "homedecor"])
def test_diff_tags_are_made_in_fashion_alone_and_colours_everywhere(fashion: Fashion, service: str) -> None:
    fashion.collection_of(service=service)
    body = {"records": [{"_id": "1", "_base64": picture(1)}], "extract_tags": True, "extract_colors": True}
    got = fashion.post("insert", body, code=210) if fashion.prefix else bare(fashion, "insert", body)
    assert got["statistics"]["tags"] == "no tags were made: they are in collections of the service 'fashion' alone"
    (record,) = bare(fashion, "get", {"records": [{"_id": "1"}]})["answer_records"]
    assert set(record) == {"_id", "_colors"}


def bare(api: Api, method: str, body: Json) -> Json:
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    return dict(api.client.post(f"/v2/{method}", json=body, headers=headers).get_json())


def test_only_the_stored_records_count_and_bad_pictures_are_skipped(fashion: Fashion) -> None:
    records: list[Json] = [{"_id": "bad", "_base64": "AAAA"}, {"_id": "good", "_base64": picture(1)}]
    got = fashion.post("insert", {"records": records, "extract_colors": True, "fields_to_return": ["*"]}, code=211)
    (record,) = got["answer_records"]
    assert set(record) == {"_id", "_tags_simple", "_colors"}


def wanted(fashion: Fashion, number: int, tags: list[str], weight: float) -> list[float]:
    """The combined distances of all records to the picture of a number, with such tags, sorted."""
    rows = fashion.hand.pictures(*(drawing(n) for n in range(RECORDS)))
    part = weight if tags else 0.0
    return [
        (1 - part) * SCALE * (1 - float(rows[n] @ fashion.hand.pictures(drawing(number))[0]))
        + part * SCALE * jaccard_distance(tags, fashion.tags(n))
        for n in range(RECORDS)
    ]


def agree(got: Json, distances: list[float]) -> None:
    assert got["answer_distances"] == pytest.approx(sorted(distances), **CLOSE)
    assert [distances[int(own)] for own in ids(got)] == pytest.approx(got["answer_distances"], **CLOSE)


def test_the_tags_of_a_query_picture_are_made_the_same_way(fashion: Fashion) -> None:
    fashion.fill()
    for number in (50, 51):
        tags = fashion.tags(number)
        assert tags
        query = {"_base64": picture(number)}
        got = fashion.post("visualTagsKNN", {"query_record": query, "tags_weight": 0.4}, code=200)
        agree(got, wanted(fashion, number, tags, 0.4))
        assert got["query_records"] == [{}]
        records = [{"_id": str(n)} for n in range(RECORDS)]
        body = {"query_record": query, "tags_weight": 0.4, "records": records}
        agree(fashion.post("visualTagsRankRecords", body, code=200), wanted(fashion, number, tags, 0.4))
    both = [wanted(fashion, number, fashion.tags(number), 0.4) for number in (50, 51)]
    body = {"query_records": [{"_base64": picture(50)}, {"_base64": picture(51)}], "tags_weight": 0.4}
    agree(fashion.post("visualTagsKNNMulti", body, code=200), [sum(pair) / 2 for pair in zip(*both, strict=True)])


def test_the_tags_of_pictures_to_rank_are_made_unless_they_are_given(fashion: Fashion) -> None:
    fashion.fill(2)
    query = {"_id": "1"}
    tags = fashion.tags(1)
    pictures = [{"_base64": picture(n), "_url": str(n)} for n in (1, 60)]
    records = [*pictures, {"_base64": picture(60), "_tags_simple": tags, "_url": "given"}]
    got = fashion.post("visualTagsRankRecords", {"query_record": query, "records": records}, code=200)
    rows = fashion.hand.pictures(drawing(1), drawing(60))
    looks = SCALE * (1 - float(rows[0] @ rows[1]))
    own = {
        "1": 0.0,
        "60": 0.5 * looks + 0.5 * SCALE * jaccard_distance(tags, fashion.tags(60)),
        "given": 0.5 * looks,
    }
    assert {record["_url"]: pytest.approx(own[record["_url"]], **CLOSE) for record in got["answer_records"]} == dict(
        zip([record["_url"] for record in got["answer_records"]], got["answer_distances"], strict=True)
    )


def test_diff_which_queries_are_compared_by_looks_alone(fashion: Fashion) -> None:
    """A picture with tags of its own, even none; a stored record without; a text."""
    fashion.fill()
    fashion.post("insert", {"records": [{"_id": "bare", "_base64": picture(50)}], "extract_tags": False}, code=210)
    for query in (
        {"_base64": picture(50), "_tags_simple": []},
        {"_id": "bare"},
        {"_text_data": "a red dress"},
    ):
        looks = fashion.post("visualKNN", {"query_record": query}, code=200)
        both = fashion.post("visualTagsKNN", {"query_record": query, "tags_weight": 0.9}, code=200)
        assert both["answer_records"] == looks["answer_records"]
        assert both["answer_distances"] == pytest.approx(looks["answer_distances"], abs=1e-6)


def test_a_model_that_is_too_busy_is_503_for_texts_and_pictures_and_those_that_wait_are_served(
    fashion: Fashion, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = fashion.context.models.get(fashion.folder)
    gate, entered, embed = threading.Event(), threading.Event(), embedder._embedder.embed_text  # type: ignore[attr-defined]

    def slow(texts: Sequence[str]) -> Any:
        entered.set()
        assert gate.wait(20)
        return embed(texts)

    monkeypatch.setattr(embedder._embedder, "embed_text", slow)
    monkeypatch.setattr(embedder, "_capacity", 1)
    word: Json = {"query_record": {"_text_data": "a red dress"}}
    others = [replace(fashion, client=fashion.client.application.test_client()) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(others[0].call, "visualKNN", word)
        entered.wait(10)
        waits = pool.submit(others[1].call, "visualKNN", word)
        eventually(lambda: embedder._waiting)
        try:
            for method, body in (("text", word), ("insert", {"records": [{"_id": "1", "_base64": picture(991)}]})):
                answer = fashion.call(method, body)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert "wait for the model" in answer.get_json()["status"]["error_description"]
        finally:
            gate.set()
        assert (running.result(10).status_code, waits.result(10).status_code) == (200, 200)
    monkeypatch.undo()
    assert fashion.post("getRecordCount")["answer_count"] == 0
    fashion.fill(1)


def test_a_load_makes_the_same_tags(fashion: Fashion, tmp_path: Path) -> None:
    for number in range(3):
        drawing(number).save(tmp_path / f"{number}.png")
    collection = fashion.context.lookup.collection(fashion.collection)
    report = loading.load(fashion.context, collection, folder_items(tmp_path))
    assert report.stored == 3
    assert fashion.stored("0.png", "1.png", "2.png") == [fashion.tags(n) for n in range(3)]


def test_the_servers_start_reads_the_taxonomy(
    settings: Callable[..., Settings], tmp_path: Path, database_url: str
) -> None:
    from app.domain.errors import ConfigurationError

    (tmp_path / "bad.toml").write_text("groups = 5")
    with pytest.raises(ConfigurationError, match=r"bad.toml': at templates: field required"):
        create_app(settings(fashion_taxonomy=tmp_path / "bad.toml"), database_url)
