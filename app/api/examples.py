"""An example of each method, as the specification prints it: `data/examples.json`.

The statuses of the example answers are those of this server where the specification contradicts itself.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson

_FILE = Path(__file__).with_name("data") / "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """A request (None where nothing is sent), its query string, and the answer."""

    request: dict[str, Any] | None
    answer: dict[str, Any]
    query: dict[str, Any] = field(default_factory=dict)


@cache
def examples() -> dict[str, Example]:
    """Return the example of every method of the specification, by name."""
    given: dict[str, dict[str, Any]] = orjson.loads(_FILE.read_bytes())
    # `as` names the method whose parameters and answer the specification calls the same.
    whole = {name: given[own["as"]] if "as" in own else own for name, own in given.items()}
    return {name: Example(own.get("request"), own["answer"], own.get("query", {})) for name, own in whole.items()}
