"""When records expire, and which collections have such records."""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = [
    # Both without a rewrite of the tables: null, and a constant.
    "ALTER TABLE lookalike.records ADD COLUMN expires_at timestamptz",
    "ALTER TABLE lookalike.collections ADD COLUMN expires boolean NOT NULL DEFAULT false",
    # The table that gets the new vectors of a change of the model under way is no partition yet.
    """
    DO $$
    DECLARE
        made text;
    BEGIN
        FOR made IN SELECT format('records_%s_v%s', e.collection_id, e.generation) FROM lookalike.reembeddings AS e LOOP
            EXECUTE format('ALTER TABLE lookalike.%I ADD COLUMN expires_at timestamptz', made);
        END LOOP;
    END
    $$
    """,
    """
    COMMENT ON COLUMN lookalike.records.expires_at IS
        'The moment of the attribute _expires_at, by a trigger: from then on the record counts as deleted.'
    """,
    """
    COMMENT ON COLUMN lookalike.collections.expires IS
        'Whether a record with an _expires_at was ever stored: where none was, no query looks for it.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
