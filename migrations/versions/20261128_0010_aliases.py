"""Aliases: names that lead to collections."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = [
    # The view of a collection that was called so makes room for the table.
    """
    DO $$
    DECLARE
        named integer;
    BEGIN
        SELECT c.id INTO named FROM lookalike.collections AS c WHERE c.name = 'aliases';
        IF to_regclass('lookalike.aliases') IS NOT NULL AND named IS NOT NULL THEN
            EXECUTE format('ALTER VIEW lookalike.aliases RENAME TO %I', format('collection_%s', named));
        END IF;
    END
    $$
    """,
    """
    CREATE TABLE lookalike.aliases (
        name text COLLATE "C" NOT NULL CONSTRAINT aliases_pkey PRIMARY KEY,
        collection_id integer NOT NULL
            CONSTRAINT aliases_collection_id_fkey REFERENCES lookalike.collections,
        set_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT aliases_name_check CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$')
    )
    """,
    "CREATE INDEX aliases_collection_id_idx ON lookalike.aliases (collection_id)",
    "COMMENT ON TABLE lookalike.aliases IS 'Names that lead to collections, each to one at a time.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
