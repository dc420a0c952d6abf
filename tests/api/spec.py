"""The specification's text: the example request and answer that each method's section prints."""

import json
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Printed:
    """One method as the text prints it. `answer` is empty where it prints none."""

    name: str
    verb: str = "POST"
    query: str = ""
    request: Json | None = None
    answer: Json = field(default_factory=dict)


def path() -> Path:
    named = os.environ.get("LOOKALIKE_SPEC")
    beside = Path(__file__).resolve().parents[3] / "shared" / "spec" / "visual-search-api-v2.txt"
    return Path(named) if named else beside


@cache
def printed() -> dict[str, Printed]:
    """Every method that the text describes, by name; a test that asks is skipped where there is no text."""
    if not path().is_file():
        pytest.skip("the specification's text is not there: set LOOKALIKE_SPEC to its file")
    text = path().read_text(encoding="utf-8").partition("Detailed Descriptions of API Methods")[2]
    parts = re.split(r"^/v2/(\w+)$", text, flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    found = {name: _read(name, section) for name, section in sections.items()}
    for name, section in sections.items():
        # "All parameters and the answer are the same as for /v2/visualKNN"
        same = re.search(r"are the same as for /v2/(\w+)", section)
        if same is not None:
            other = found[same[1]]
            found[name] = Printed(name, other.verb, other.query, other.request, other.answer)
    return found


def _read(name: str, section: str) -> Printed:
    call = re.search(r"^\$ curl '(?P<url>[^']+)' -i -X (?P<verb>\w+)", section, re.MULTILINE)
    if call is None:
        return Printed(name)
    body = re.search(r"-d '(\{.*?\n\})'", section, re.DOTALL)
    answer = re.search(r"^(?:Example response|Returns):\s+^(\{.*?^\})", section, re.DOTALL | re.MULTILINE)
    return Printed(
        name,
        call["verb"],
        urlsplit(call["url"]).query,
        json.loads(body[1]) if body else None,
        json.loads(answer[1]) if answer else {},
    )
