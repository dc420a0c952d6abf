"""What is in the schema, as lines that can be compared."""

import psycopg

CATALOGUE = """
    SELECT c.relkind::text || ' ' || c.relname || ' ' || coalesce(pg_get_partkeydef(c.oid), '') AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'lookalike' AND c.relkind <> 'i'
    UNION ALL
    SELECT 'column ' || table_name || '.' || column_name || ' ' || udt_name || ' ' || is_nullable || ' '
        || coalesce(column_default, '') || ' ' || coalesce(collation_name, '')
    FROM information_schema.columns WHERE table_schema = 'lookalike'
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'lookalike'
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'lookalike'::regnamespace
    UNION ALL
    SELECT 'storage ' || attrelid::regclass || '.' || attname || ' ' || attstorage::text || ' '
        || coalesce(attstattarget, -1)::text
    FROM pg_attribute WHERE attnum > 0 AND attrelid IN (
        SELECT oid FROM pg_class WHERE relnamespace = 'lookalike'::regnamespace AND relkind IN ('r', 'p'))
    UNION ALL
    SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'lookalike'::regnamespace
    UNION ALL SELECT 'view ' || viewname || definition FROM pg_views WHERE schemaname = 'lookalike'
    UNION ALL
    SELECT 'comment ' || objoid::regclass || ' ' || description
    FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid IN (
        SELECT oid FROM pg_class WHERE relnamespace = 'lookalike'::regnamespace)
    ORDER BY 1
"""


def catalogue(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(CATALOGUE).fetchall()]
