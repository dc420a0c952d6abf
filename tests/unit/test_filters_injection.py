"""Keys and values are data: the text of the SQL does not depend on them, and quoted they stand in the parameters."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.errors import FilterError
from app.filters import Where, compile_filter, parse_filter
from tests.cases.filters_hostile import HOSTILE

_SQL = re.compile(r"[()\w :=<>@?.,'\[\]\"-]|->|%\(f\d+\)s")
_PATH_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')


def _shapes(key: str, value: str) -> dict[str, Mapping[str, Any]]:
    """Filters of every operator with the key and the value in each place that takes one."""
    return {
        "equality": {key: value},
        "path": {f"a.{key}.b": value},
        "position": {f"a.0.{key}": value},
        "whole list": {key: [value, [value]]},
        "whole object": {key: {"x": {key: value}}},
        "ne": {key: {"$ne": value}},
        "range": {key: {"$gt": value, "$lte": value}},
        "number range": {key: {"$gte": 5, "$lt": 9}},
        "in": {key: {"$in": [value, None, 5]}},
        "long in": {key: {"$nin": [f"{value}{i}" for i in range(20)]}},
        "all": {key: {"$all": [value]}},
        "exists": {key: {"$exists": True}},
        "type": {key: {"$type": "array"}},
        "size": {key: {"$size": 1}},
        "elem match": {key: {"$elemMatch": {key: value}}},
        "elem match value": {key: {"$elemMatch": {"$eq": value, "$not": {"$in": [value]}}}},
        "not": {key: {"$not": {"$eq": value}}},
        "or": {"$or": [{key: value}, {"b": {"$ne": value}}]},
        "operator first": {"$gte": {key: value}},
        "regex": {key: {"$regex": re.sub(r"(\W)", r"\\\1", value) if value.isascii() else "x"}},
        "mod": {key: {"$mod": [2, 1]}},
        "id": {"_id": value},
        "id in": {"_id": {"$in": [value]}},
        "id range": {"_id": {"$gte": value}},
    }


def _field(key: str) -> str:
    """A string that is one step of a field name and no operator: with a `$` in front it would be refused as one."""
    return "k" + key.replace(".", "_")


def _compiled(filter_: Mapping[str, Any], key: str) -> Where:
    return compile_filter(parse_filter(filter_), indexed_fields=frozenset({key}))


PLAIN = {name: _compiled(filter_, "k") for name, filter_ in _shapes("k", "v").items()}


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("shape", list(PLAIN))
def test_the_sql_is_the_same_whatever_the_key_and_value(shape: str) -> None:
    for hostile in HOSTILE:
        key = _field(hostile)
        where = _compiled(_shapes(key, hostile)[shape], key)
        assert where.sql == PLAIN[shape].sql
        assert where.params.keys() == PLAIN[shape].params.keys()


@pytest.mark.parametrize("shape", [shape for shape in PLAIN if shape != "regex"])
def test_a_jsonpath_is_the_same_but_for_its_quoted_strings(shape: str) -> None:
    """A pattern is left out: it is written anew, character by character, and not quoted as it came."""
    for hostile in HOSTILE:
        key = _field(hostile)
        where = _compiled(_shapes(key, hostile)[shape], key)
        for name, value in where.params.items():
            if f"%({name})s::jsonpath" in where.sql:
                plain = str(PLAIN[shape].params[name])
                assert _PATH_STRING.sub('""', str(value)) == _PATH_STRING.sub('""', plain)
                assert all(isinstance(json.loads(text), str) for text in _PATH_STRING.findall(str(value)))


@pytest.mark.parametrize("where", PLAIN.values(), ids=list(PLAIN))
def test_parameters_are_of_plain_types(where: Where) -> None:
    assert all(type(value) in (str, int, list) for value in where.params.values())
    assert set(re.findall(r"%\((\w+)\)s", where.sql)) == where.params.keys()
    assert "%" not in re.sub(r"%\(\w+\)s", "", where.sql)
    assert _SQL.sub("", where.sql) == ""


def test_a_dollar_in_front_of_a_field_is_refused_as_an_operator() -> None:
    dollars = [hostile for hostile in HOSTILE if hostile.startswith("$")]
    assert dollars
    for hostile in dollars:
        with pytest.raises(FilterError, match="unknown operator"):
            parse_filter({hostile: 1})
