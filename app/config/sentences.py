"""Errors of settings become one sentence each: the variable, what was given, what is allowed; or a misspelt name."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

PREFIX = "LOOKALIKE_"
# Variables that this project's tests and makefile read, which are no settings.
_OTHERS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "CLOTHING_DIR",
        "DATABASE_URL",
        "FUZZ_EXAMPLES",
        "LONG_TESTS",
        "SOURCE_TOKEN",
        "SPEC",
        "TEST_DATABASE_URL",
        "WRITE_DOCS",
    )
)
_LONGEST = 60  # characters of a value that are repeated


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return "DATABASE_URL" if name == "database_url" else f"{PREFIX}{name.upper()}"


def wrong(error: ValidationError, fields: Mapping[str, FieldInfo], options: Iterable[str]) -> str:
    """Return what is wrong with the settings, a sentence each.

    Args:
        error: what pydantic found.
        fields: the settings.
        options: names of those that were given by an option of the command line.

    """
    sentences = []
    for found in error.errors():
        name = str(found["loc"][0]).removeprefix(PREFIX).lower() if found["loc"] else ""
        if name not in fields:
            sentences.append(str(found["msg"]))
            continue
        place = f"--{name.replace('_', '-')}" if name in options else variable_of(name)
        given = str(found["input"])
        short = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}…"
        verb = "is" if len(found["loc"]) == 1 else "has"
        sentences.append(f"{place} {verb} {short!r}; it takes {allowed(fields[name])}")
    return ". ".join(dict.fromkeys(sentences))


def allowed(field: FieldInfo) -> str:
    """Return what a setting takes, in words: `a whole number from 1 to 65535`."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    kind: Any = field.annotation if get_origin(field.annotation) is Literal or not kinds else kinds[0]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if kind is bool:
        return "true or false"
    return {int: "a whole number", float: "a number"}.get(kind, "the path of a file or folder") + _bounds(field)


def _bounds(field: FieldInfo) -> str:
    limits = {
        name: getattr(part, name) for part in field.metadata for name in ("ge", "gt", "le") if hasattr(part, name)
    }
    if "gt" in limits:
        return f" over {limits['gt']:,}, {limits['le']:,} at most"
    return f" from {limits['ge']:,} to {limits['le']:,}" if "ge" in limits else ""


def misspelt(environment: Iterable[str], fields: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that begins as a setting does and is none, with the nearest name."""
    settings = {variable_of(name) for name in fields}
    names = [name.removeprefix(PREFIX) for name in settings]
    sentences = []
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in settings | _OTHERS:
            near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), names, 1)
            advice = (
                f"did you mean {PREFIX if near[0] != 'DATABASE_URL' else ''}{near[0]}?"
                if near
                else "docs/settings.md lists them"
            )
            sentences.append(f"{name} is no setting and changes nothing; {advice}")
    return sentences
