"""Copies of one vector that are too many for the HNSW index stand beside it, in crowds."""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = [
    # Without a rewrite of the tables.
    "ALTER TABLE lookalike.records ADD COLUMN crowd bigint",
    # The table that gets the new vectors of a change of the model under way is no partition yet.
    """
    DO $$
    DECLARE
        made text;
    BEGIN
        FOR made IN SELECT format('records_%s_v%s', e.collection_id, e.generation) FROM lookalike.reembeddings AS e LOOP
            EXECUTE format('ALTER TABLE lookalike.%I ADD COLUMN crowd bigint', made);
        END LOOP;
    END
    $$
    """,
    """
    COMMENT ON COLUMN lookalike.records.crowd IS
        'The digest of its crowd, beside the index.'
    """,
    """
    CREATE TABLE lookalike.crowds (
        records_table text NOT NULL,
        digest bigint NOT NULL,
        collection_id integer NOT NULL
            CONSTRAINT crowds_collection_id_fkey REFERENCES lookalike.collections (id) ON DELETE CASCADE,
        embedding halfvec NOT NULL,
        CONSTRAINT crowds_pkey PRIMARY KEY (records_table, digest)
    )
    """,
    "CREATE INDEX crowds_collection_id_idx ON lookalike.crowds (collection_id)",
    """
    COMMENT ON TABLE lookalike.crowds IS
        'Vectors of which most records stand beside the HNSW index of their table.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
