"""The loader of named queries."""

import pytest

from app.db.loader import area, parse
from app.db.resources import folder
from app.db.sqltree import AREAS

ONE = """
-- name: one
-- Says one thing.
SELECT :a::int, 'x:y', b::text /*where*/ AND TRUE /*end*/ -- note
FROM t WHERE c LIKE 'a%' AND d = ANY (:names);
"""


def test_parameters_casts_and_percent_signs() -> None:
    query = parse(ONE)["one"]
    assert "%(a)s::int" in query.text
    assert "b::text" in query.text
    assert "LIKE 'a%%'" in query.text
    assert "ANY (%(names)s)" in query.text
    assert query.doc == "Says one thing."


def test_spans_are_replaced_and_must_all_be_given() -> None:
    query = parse(ONE)["one"]
    assert query.spans == {"where"}
    assert "AND TRUE" not in query.render(where="AND x")
    with pytest.raises(KeyError):
        query.render()
    assert query.render(where="AND x", other="never") == query.render(where="AND x")


@pytest.mark.parametrize("bad", ["-- name: a\nSELECT 1;", ONE + ONE])
def test_a_query_needs_a_comment_and_a_name_of_its_own(bad: str) -> None:
    with pytest.raises(ValueError, match=r"comment|twice"):
        parse(bad)


@pytest.mark.parametrize("name", AREAS)
def test_every_area_parses_and_every_query_says_what_it_answers(name: str) -> None:
    for query in area(name).values():
        assert query.doc.endswith(".")


def test_the_queries_of_a_module_of_the_database_stand_in_the_file_of_its_name() -> None:
    modules = {path.stem: path.read_text("utf-8") for path in (folder("sql").parent / "app" / "db").rglob("*.py")}
    for name in set(AREAS) - {"search"}:  # whose queries a package sends
        assert f'"{name}", ' in modules[name]
    assert {path.stem for path in (folder("sql") / "queries").glob("*.sql")} == set(AREAS)
