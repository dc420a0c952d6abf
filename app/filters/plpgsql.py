"""The tables of the filter language as a SQL file, for the functions that read filters inside the database.

`lookalike.matches` and its kin (sql/functions/01x to 04x) hold the shape of the language; every text that they put
together, every operator, type and set of characters is in two files there, which `render()` makes
from the operator table and by calling the very functions that write the API's conditions. So there is one meaning.
"""

from app.filters import jsonpath, regex, regexclasses
from app.filters.nodes import (
    TRUE,
    Comparator,
    Compare,
    Condition,
    ElemMatch,
    Equals,
    Exists,
    JsonType,
    Mod,
    Not,
    OfType,
    Regex,
    Scalar,
    Size,
)
from app.filters.operands import TYPES
from app.filters.operators import OPERATORS
from app.filters.regexclasses import POSIX, CharacterSet
from app.filters.values import literal

# Stand for what a condition is about: they are replaced by the places of format().
_VALUE = "@.value"
_NUMBER = 8_675_309
_SECOND = 9_035_768
_STRING = "literal"
_BOUND: Comparator = ">="
_SCALARS: dict[str, Scalar] = {"string": _STRING, "number": _NUMBER, "boolean": True}
_JSON_TYPES: tuple[JsonType, ...] = (
    "null", "boolean", "number", "int", "long", "double", "string", "object", "array",
)  # fmt: skip

_NEVER = "-- Generated from app/filters by `lookalike sql sync`; never edited by hand.\n"
_RIGHTS = """\
-- Rights: the caller's; the names in the bodies were resolved when they were made. Called by the functions on filters.
"""
_FILTERS = """\
-- The tables of the filter language: its operators, the texts of its conditions, types.
--
-- Results: `filter_operator_table`: an operator a row; `level` is where it stands, `takes_object` whether an object is
--   a sensible operand. `filter_fragment`: the jsonpath of a condition, for format(): %1$s the value, %2$s the
--   literal, %3$s the operator. `filter_type_named`: the JSON type that a name or code means, '' for one that JSON
--   cannot hold, NULL for an unknown one.
"""
_REGEX = """\
-- The tables of regular expressions in filters: classes of characters, anchors.
--
-- Results: `regex_set`: a class as ranges of code points; `regex_fragment`: an anchor or a dot as PostgreSQL writes
--   it, the letter of an option behind it where it matters. NULL for an unknown name.
"""
_TABLE = """\
CREATE OR REPLACE FUNCTION lookalike.filter_operator_table() RETURNS TABLE (name text, level text, takes_object boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT o.name, o.level, o.takes_object FROM (VALUES
@rows@
    ) AS o (name, level, takes_object);
END;

COMMENT ON FUNCTION lookalike.filter_operator_table() IS
    'Internal: the operators of filters. Caller''s rights.';
"""


def render() -> dict[str, str]:
    """Return the generated files of `sql/functions`, by name."""
    filters = [
        _operators(),
        case("filter_fragment(name text)", "text", "name", _fragments(), "the jsonpath of a condition"),
        case("filter_type_named(name jsonb)", "text", "name", _types(), "the JSON type that $type names"),
    ]
    expressions = [
        case("regex_set(name text)", "int4multirange", "name", _sets(), "a class of characters"),
        case("regex_fragment(name text)", "text", "name", _anchors(), "an anchor or a dot"),
    ]
    return {
        "010_filter_tables.sql": "\n".join([_FILTERS + _NEVER + _RIGHTS, *filters]),
        "011_regex_tables.sql": "\n".join([_REGEX + _NEVER + _RIGHTS, *expressions]),
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _operators() -> str:
    rows = (f"({_quoted(row.name)}, '{row.level}', {str(row.takes_object).upper()})" for row in OPERATORS.values())
    return _TABLE.replace("@rows@", ",\n".join(" " * 8 + row for row in rows))


def case(signature: str, result: str, argument: str, rows: dict[str, str], what: str) -> str:
    """Return a function that answers with the value of a name, NULL where there is none of this name."""
    cast = "" if result == "text" else f"::{result}"
    lines = "\n".join(f"    WHEN {_quoted(name)} THEN {_quoted(text)}{cast}" for name, text in rows.items())
    types = signature.replace("(name ", "(")
    return f"""\
CREATE OR REPLACE FUNCTION lookalike.{signature} RETURNS {result}
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE {argument}
{lines}
END;

COMMENT ON FUNCTION lookalike.{types} IS
    'Internal: {what}, by name. Caller''s rights.';
"""


def _template(text: str, written: str | None = None) -> str:
    """Return a condition's text with the places of format() where the stand-ins are."""
    found = text.replace("%", "%%").replace(_VALUE, "%1$s").replace(str(_NUMBER), "%2$s").replace(str(_SECOND), "%3$s")
    return found if written is None else found.replace(written, "%2$s")


def _element(node: Condition, written: str | None = None) -> str:
    return _template(jsonpath.element(node, _VALUE), written)


def _field(node: Condition, written: str | None = None) -> str:
    return _template(jsonpath.field(node, _VALUE), written)


def _fragments() -> dict[str, str]:
    found: dict[str, str] = {}
    found["element.equals.null"] = _element(Equals((), None))
    found["field.equals.null"] = _field(Equals((), None))
    for name, value in _SCALARS.items():
        text = literal(value)
        found[f"element.equals.{name}"] = _element(Equals((), value), text)
        found[f"field.equals.{name}"] = _field(Equals((), value), text)
        found[f"element.compare.{name}"] = _element(Compare((), _BOUND, value), text).replace(_BOUND, "%3$s")
        found[f"field.compare.{name}"] = _field(Compare((), _BOUND, value), text).replace(_BOUND, "%3$s")
    found["element.exists"] = _element(Exists(()))
    found["element.size"] = _element(Size((), _NUMBER))
    found["element.elem.documents"] = _element(ElemMatch((), TRUE, documents=True), jsonpath.TRUE)
    found["element.elem.values"] = _element(ElemMatch((), TRUE, documents=False), jsonpath.TRUE)
    found["element.mod"] = _element(Mod((), _NUMBER, _SECOND))
    for ignore_case in (False, True):
        node = Regex((), _STRING, ignore_case)
        name = str(ignore_case).lower()
        found[f"element.regex.{name}"] = _element(node, literal(_STRING))
        found[f"field.regex.{name}"] = _field(node, literal(_STRING))
    for json_type in _JSON_TYPES:
        found[f"type.{json_type}"] = _element(OfType((), frozenset({json_type})))
    found["predicate.not"] = jsonpath.predicate(Not(TRUE)).replace(jsonpath.TRUE, "%1$s")
    return found


def _types() -> dict[str, str]:
    """Return the JSON type of each name and code, as JSON writes them."""
    found = {'"number"': "number"}
    for name, (code, types) in TYPES.items():
        found[f'"{name}"'] = found[str(code)] = next(iter(types), "")
    return found


def _sets() -> dict[str, str]:
    classes = {"d": regexclasses.DIGIT, "w": regexclasses.WORD, "s": regexclasses.SPACE}
    found = {name: _multirange(characters) for name, characters in classes.items()}
    found |= {name.upper(): _multirange(characters.complement()) for name, characters in classes.items()}
    for name in POSIX:
        for written in (name, f"^{name}"):
            characters = regexclasses.posix_class(written)
            found[f"posix:{written}"] = _multirange(characters or CharacterSet())
    return found


def _multirange(found: CharacterSet) -> str:
    return "{" + ",".join(f"[{low},{high}]" for low, high in found.ranges) + "}"


def _anchors() -> dict[str, str]:
    """Return what the translator makes of each anchor; the letter of an option behind it where it matters."""
    found = {f"\\{letter}": regex.translate(f"\\{letter}", "")[0] for letter in "bBAzZ"}
    found |= {letter: regex.translate(letter, "")[0] for letter in ".^$"}
    return found | {f"{letter}{option}": regex.translate(letter, option)[0] for letter, option in (".s", "^m", "$m")}
