"""What the filter language refuses: with a FilterError that names the place, and never with anything else."""

import pytest

from app.domain.errors import FilterError
from app.filters import compile_filter, parse_filter, take_from_query
from tests.cases.filtercase import RefusedCase
from tests.cases.filters_refused import REFUSED, nested, nested_data, nested_not


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REFUSED])
def test_refused_with_its_place(case: RefusedCase) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(case.filter)
    assert (caught.value.path, case.words in str(caught.value)) == (case.path, True), str(caught.value)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REFUSED])
def test_taking_from_the_query_leaves_the_refusal_to_the_parser(case: RefusedCase) -> None:
    """Nothing but a FilterError comes out of either step, however wrong the filter is."""
    with pytest.raises(FilterError):
        parse_filter(take_from_query(case.filter, [{"b": 1}])) if "marker" not in case.id else parse_filter(case.filter)


@pytest.mark.parametrize("filter_", [nested(32), nested_not(31), nested_data(31)], ids=["and", "not", "data"])
def test_the_deepest_filters_are_accepted(filter_: object) -> None:
    assert compile_filter(parse_filter(filter_)).sql


def test_the_largest_filters_are_accepted() -> None:
    assert compile_filter(parse_filter({"$or": [{"a": i} for i in range(1000)]})).params
    assert compile_filter(parse_filter({"a": {"$in": list(range(10_000))}})).params
    assert compile_filter(parse_filter({"a": {"$regex": "a" * 1000}})).params
    assert compile_filter(parse_filter({"a": {"$gt": 10**3999}})).params


def test_a_message_can_be_encoded_and_is_short_whatever_the_key() -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter({"\ud800\0\n" + "x" * 10_000: {"$foo": 1}})
    message = str(caught.value)
    assert message.encode().decode() == message
    assert message.isprintable()
    assert len(message) < 200
