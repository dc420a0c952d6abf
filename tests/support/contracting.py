"""What a change of the schema takes away from programs that were written before it."""

import psycopg

# What a program reads and writes, and what may keep it from writing.
_USED = """
    WITH tables AS (
        SELECT c.oid, c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'lookalike'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    )
    SELECT 'offers' AS kind, t.relname,
           format('%s.%s %s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod)) AS what
    FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'offers', p.proname, format('%s -> %s', p.oid::regprocedure, pg_get_function_result(p.oid))
    FROM pg_proc AS p WHERE p.pronamespace = 'lookalike'::regnamespace
    UNION ALL
    SELECT 'asks', t.relname, format('%s.%s is not null and has no default', t.relname, a.attname)
    FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    UNION ALL
    SELECT 'asks', CASE WHEN cardinality(k.conkey) = 1
                        THEN (SELECT format('%s.%s', t.relname, a.attname) FROM pg_attribute AS a
                              WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1])
                        ELSE t.relname END,
           format('%s: %s', t.relname, pg_get_constraintdef(k.oid))
    FROM tables AS t JOIN pg_constraint AS k ON k.conrelid = t.oid WHERE k.contype <> 'n'
    UNION ALL
    SELECT 'asks', t.relname, format('%s: unique %s', t.relname, pg_get_indexdef(i.indexrelid))
    FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid WHERE i.indisunique
"""
Used = dict[tuple[str, str], str]
"""What is offered to programs and asked of them, each with its table, column or function."""


def used(connection: "psycopg.Connection[tuple[str, str, str]]") -> Used:
    """Return what programs find in the schema."""
    return {(kind, what): name for kind, name, what in connection.execute(_USED.encode()).fetchall()}


def contracted(before: Used, after: Used) -> list[str]:
    """Return what a program that knows the schema of before misses afterwards, or is newly asked; in order.

    What is asked of a column that it does not know of is nothing to it: it writes none there.
    """
    gone = [f"gone: {what}" for kind, what in before.keys() - after.keys() if kind == "offers"]
    known = set(before.values()) | {what.split()[0] for kind, what in before if kind == "offers"}
    new = [
        f"new: {what}" for kind, what in after.keys() - before.keys() if kind == "asks" and after[kind, what] in known
    ]
    return sorted(gone + new)
