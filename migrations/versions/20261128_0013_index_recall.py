"""The recall of each index at several efforts, as the server measured it."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = [
    """
    CREATE TABLE lookalike.index_recall (
        index_name text NOT NULL CONSTRAINT index_recall_pkey PRIMARY KEY,
        collection_id integer NOT NULL
            CONSTRAINT index_recall_collection_id_fkey REFERENCES lookalike.collections (id) ON DELETE CASCADE,
        generation integer NOT NULL,
        claimed_at timestamptz,
        build bigint,
        target double precision,
        effort integer,
        effort_deep integer,
        effort_matches integer,
        recall_10 double precision,
        recall_100 double precision,
        queries integer,
        rows bigint,
        writes bigint,
        seconds double precision,
        curves jsonb,
        measured_at timestamptz,
        CONSTRAINT index_recall_target_check CHECK (target > 0 AND target <= 1),
        CONSTRAINT index_recall_effort_check CHECK (effort BETWEEN 1 AND 1000),
        CONSTRAINT index_recall_effort_deep_check CHECK (effort_deep BETWEEN 1 AND 1000),
        CONSTRAINT index_recall_effort_matches_check CHECK (effort_matches BETWEEN 1 AND 1000)
    )
    """,
    "CREATE INDEX index_recall_collection_id_idx ON lookalike.index_recall (collection_id)",
    """
    COMMENT ON TABLE lookalike.index_recall IS
        'Measured recall of HNSW indexes by search effort, and the efforts that searches take by it.'
    """,
    """
    COMMENT ON COLUMN lookalike.index_recall.build IS
        'The file of the index that was measured: what is built anew has another one.'
    """,
    """
    COMMENT ON COLUMN lookalike.index_recall.claimed_at IS
        'When a server began to measure; others leave it to that for ten minutes.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
