"""What the API relies on holds for rows written by SQL too; a log of searches."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = [
    # An attribute of such a name would stand beside the field that the API itself puts into its answers.
    """
    ALTER TABLE lookalike.records
        ADD CONSTRAINT records_keys_check CHECK (
            NOT attributes ?| ARRAY['_id', '_base64', '_box', '_reason']
            AND NOT attributes @? '$.keyvalue() ? (@.key starts with "$")'),
        ADD CONSTRAINT records_embedding_check CHECK (l2_norm(embedding) > 0)
    """,
    # Unlogged: no WAL for what may be lost, and no search waits for it.
    """
    CREATE UNLOGGED TABLE lookalike.search_log (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT search_log_pkey PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        token_id integer,
        collection_id integer NOT NULL,
        method text NOT NULL,
        query_id text,
        filter jsonb,
        k integer,
        results integer,
        milliseconds double precision NOT NULL,
        way text
    )
    """,
    """
    COMMENT ON TABLE lookalike.search_log IS
        'The latest searches, where LOOKALIKE_LOG_SEARCHES is on; lost in a crash of the database.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
