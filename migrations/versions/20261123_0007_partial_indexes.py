"""HNSW indexes of the records that have one value in one attribute."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = [
    """
    CREATE TABLE lookalike.partial_indexes (
        index_name text NOT NULL CONSTRAINT partial_indexes_pkey PRIMARY KEY,
        collection_id integer NOT NULL CONSTRAINT partial_indexes_collection_id_fkey
            REFERENCES lookalike.collections ON DELETE CASCADE,
        records_table text NOT NULL,
        field text NOT NULL,
        value jsonb NOT NULL,
        condition text NOT NULL
    )
    """,
    "CREATE INDEX partial_indexes_collection_id_idx ON lookalike.partial_indexes (collection_id)",
    """
    COMMENT ON TABLE lookalike.partial_indexes IS
        'HNSW indexes of the records that have one value in one attribute, which condition selects.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
