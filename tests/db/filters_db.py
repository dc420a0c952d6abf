"""What the tests of filters ask of a database: records from JSON values, and which of them match."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg

from app.filters import Where, compile_filter, parse_filter

Connection = psycopg.Connection[tuple[Any, ...]]

TABLE = """
CREATE SCHEMA lookalike;
CREATE TABLE lookalike.records (id text COLLATE "C" PRIMARY KEY, attributes jsonb NOT NULL);
CREATE INDEX records_attributes ON lookalike.records USING gin (attributes jsonb_path_ops);
"""


def to_json(value: object) -> str:
    """Return a value as JSON with every digit of its numbers, which `json.dumps` would not keep."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    return json.dumps(value)


def where_of(filter_: object, indexed_fields: Iterable[str] = ()) -> Where:
    """Return the SQL of a filter."""
    return compile_filter(parse_filter(filter_), indexed_fields=frozenset(indexed_fields))


def insert(connection: Connection, records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Store records given by id and attributes; an `_id` among the attributes is left out, as the server does."""
    with connection.cursor().copy("COPY lookalike.records (id, attributes) FROM STDIN") as copy:
        for id_, attributes in records:
            copy.write_row((id_, to_json({key: value for key, value in attributes.items() if key != "_id"})))


def truths(connection: Connection, where: Where, documents: Sequence[Mapping[str, Any]]) -> list[bool | None]:
    """Return, for each document, what the condition says of it, without storing them."""
    statement = f"""
        SELECT ({where.sql})
        FROM unnest(%(ids)s::text[], %(documents)s::jsonb[]) WITH ORDINALITY AS d (raw_id, attributes, position),
             LATERAL (SELECT raw_id COLLATE "C" AS id) AS named
        ORDER BY position"""
    ids = [str(document.get("_id", position)) for position, document in enumerate(documents)]
    attributes = [to_json({k: v for k, v in document.items() if k != "_id"}) for document in documents]
    rows = connection.execute(statement, {**where.params, "ids": ids, "documents": attributes})
    return [row[0] for row in rows]
