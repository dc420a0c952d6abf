"""Pages by token: they hold while others write, whatever the keys are, and a token is of one search."""

import threading
from dataclasses import replace

import pytest

from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from app.services import collections
from app.services.pagetoken import PageTokens
from tests.api.conftest import Api
from tests.api.planes import Json, ids, place, search, walk


def test_pages_by_token_neither_repeat_nor_lose_while_others_write(api: Api) -> None:
    stable = {f"s{n:03}": 0.3 * n for n in range(200)}
    place(api, stable)
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            place(api, {f"x{number}": number * 7 % 60})
            if number > 3:
                api.post("delete", {"records": [{"_id": f"x{number - 3}"}]}, code=220)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(3):
            seen = walk(api, "visualKNN", k=7, query_record={"_id": "s000"})
            kept = [own for own in seen if own.startswith("s")]
            assert len(set(seen)) == len(seen)
            assert sorted(kept) == sorted(stable)
    finally:
        stop.set()
        thread.join()


def test_pages_go_on_after_numbers_and_texts_of_any_kind(api: Api) -> None:
    values = [
        "-1e308",
        "-0.0",
        "1e-400",
        "1.50",
        "9223372036854775808",
        "1e308",
        '""',
        '"%(x)s"',
        '"\\\\\\""',
        '"\u00fc"',
    ]
    odd = {f"o{number}": value for number, value in enumerate(values)}
    place(api, {own: number for number, own in enumerate([*odd, "none"])}, **odd)
    body = {"query_record": {"_id": "o0"}, "radius": 1000, "k": 1}
    assert walk(api, "visualKNN", **body, sort=[{"odd": 1}]) == [*odd, "none"]
    assert walk(api, "visualKNN", **body, sort=[{"odd": -1}]) == [*reversed(odd), "none"]
    assert walk(api, "find", filter={}, limit=2, sort=[{"odd": 1}]) == [*odd, "none"]
    boosted = walk(api, "visualKNN", query_record={"_id": "o0"}, k=1, boost=[{"field": "odd", "factor": 1e6}])
    assert [boosted[0], boosted[1], boosted[-1]] == ["o5", "o4", "o0"]


_FORGED = [
    '[99999999999, 1, null, 1, "a"]',
    '[1, 1e999999, null, 1, "a"]',
    '[1, 1e-99999, null, 1, "a"]',
    '[1, 1e99999999999999999999, null, 1, "a"]',
    '[1, 1, null, 1e400, "a"]',
    '[1, NaN, null, 1, "a"]',
    '[2, null, "\\u0000", 1, "a"]',
    '[2, null, "\\ud800", 1, "a"]',
    '[true, 1, null, 1, "a"]',
    "[1, 1, null, 1]",
    "[[], {}, [], {}, []]",
    "{}",
    "[" * 5000 + "]" * 5000,
]


@pytest.mark.parametrize("keys", _FORGED)
def test_a_page_token_whose_checksum_is_right_may_still_hold_no_such_keys(
    plane: Api, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    body: Json = {"k": 2, "radius": 1000, "sort": [{"n": 1}]}
    write = PageTokens.write
    with monkeypatch.context() as patched:
        patched.setattr(PageTokens, "write", lambda tokens, _keys: write(tokens, keys))
        token = search(plane, page_token="", **body)["page_token"]
    assert "page_token: " in search(plane, 402, page_token=token, **body)["status"]["error_description"]


def test_a_page_token_is_of_one_search_in_one_collection(plane: Api, api: Api) -> None:
    token = search(plane, k=2, page_token="")["page_token"]
    for other in ({"filter": {"even": True}}, {"radius": 50}, {"query_record": {"_id": "a05"}}, {"group_by": "n"}):
        answer = search(plane, 402, **{"k": 2, "page_token": token, **other})
        assert "page_token: belongs to another search" in answer["status"]["error_description"]
    assert ids(search(plane, k=3, page_token=token)) == ["a10", "a15", "a20"]  # k may change
    changed = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert "page_token" in search(plane, 402, k=2, page_token=changed)["status"]["error_description"]
    found = plane.post("find", {"filter": {}, "limit": 2, "page_token": ""}, code=200)["page_token"]
    assert "another search" in search(plane, 402, page_token=found)["status"]["error_description"]
    place(api, {"a00": 0, "a05": 5})
    assert "another collection" in search(api, 402, page_token=token)["status"]["error_description"]


def test_a_page_token_is_stale_once_the_vectors_were_made_anew(api: Api) -> None:
    place(api, {"a00": 0, "a05": 5, "a10": 10})
    token = search(api, k=1, page_token="")["page_token"]
    now = collections.get(api.context, api.collection)
    query = Query(replace(now, generation=2), Window(1), Fields())
    with pytest.raises(InvalidRequest, match="page_token: is stale"):
        PageTokens(query, (), (), ["double precision", "text"]).read(token)
