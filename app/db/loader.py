"""Named queries of `sql/queries/<area>.sql`.

A query begins with `-- name: <name>`, followed by one comment that says what it answers. Parameters are written
`:name`, so that the file is valid in psql. The few things that PostgreSQL cannot bind (the partition, the dimension
of a vector, a literal LIMIT, the WHERE fragment of a filter) stand in marked spans that are valid SQL as they are,
`/*records*/ lookalike.records /*end*/`, and are replaced by what the program itself made, never by a request's text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from app.db.resources import folder

_NAME = re.compile(r"^-- name: (?P<name>[a-z0-9_]+)\s*$", re.MULTILINE)
_SPAN = re.compile(r"/\*([a-z_]+)\*/.*?/\*end\*/", re.DOTALL)
_PARAMETER = re.compile(r"(?<![:\w]):(?P<name>[a-z_][a-z0-9_]*)")
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One named query: its text for psycopg (`%(name)s` parameters) with the spans still in it."""

    name: str
    doc: str
    text: str

    @property
    def spans(self) -> frozenset[str]:
        """Names of the marked spans."""
        return frozenset(_parts(self.text)[1::2])

    def render(self, **spans: str) -> str:
        """Return the text with every span of it replaced; what stands for others is left aside.

        Raises:
            KeyError: a span of the query is not given.

        """
        parts = _parts(self.text)
        return "".join(spans[part] if place % 2 else part for place, part in enumerate(parts))


@cache
def _parts(text: str) -> list[str]:
    """Return the text between the spans and, in turn, the names of the spans."""
    return _SPAN.split(text)


def parse(source: str) -> Mapping[str, Query]:
    """Split one file into its queries, by name.

    Raises:
        ValueError: a name stands twice, or a query has no comment.

    """
    queries: dict[str, Query] = {}
    parts = _NAME.split(source)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        doc = " ".join(line.strip()[2:].strip() for line in body.splitlines() if line.strip().startswith("--"))
        if not doc:
            raise ValueError(f"query {name} has no comment that says what it answers")
        if name in queries:
            raise ValueError(f"query {name} stands twice")
        text = _COMMENT.sub("", body).strip().rstrip(";").replace("%", "%%")
        queries[name] = Query(name, doc, _PARAMETER.sub(r"%(\g<name>)s", text))
    return queries


@lru_cache
def area(name: str) -> Mapping[str, Query]:
    """Return the queries of `sql/queries/<name>.sql`."""
    return parse((folder("sql") / "queries" / f"{name}.sql").read_text(encoding="utf-8"))


def query(area_name: str, name: str) -> Query:
    """Return one named query."""
    return area(area_name)[name]
