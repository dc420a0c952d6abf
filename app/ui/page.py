"""What every page of the console knows: who looks at it, and which collection it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.collections import Collection
from app.domain.tokens import Principal

Shown = Mapping[str, Any]
"""What a view gives its template."""


@dataclass(frozen=True, slots=True)
class Page:
    """One request for a page.

    Attributes:
        principal: who is signed in.
        collections: names of the collections that the token may use.
        collection: the one that is chosen; None where there is none to choose, or the page is about no single one.
        query: the query string: the state of the screen.
        root: path below which the server is mounted, without a slash at its end.

    """

    principal: Principal
    collections: Sequence[str]
    collection: Collection | None
    query: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
