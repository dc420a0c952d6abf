"""The SHA-256 of each record's picture, so that a load knows which pictures changed without embedding them again."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = [
    # Without a default, so that no table is rewritten; of records that are there it is not known.
    "ALTER TABLE lookalike.records ADD COLUMN digest bytea",
    # The table that gets the new vectors of a change of the model under way is no partition yet.
    """
    DO $$
    DECLARE
        made text;
    BEGIN
        FOR made IN SELECT format('records_%s_v%s', e.collection_id, e.generation) FROM lookalike.reembeddings AS e LOOP
            EXECUTE format('ALTER TABLE lookalike.%I ADD COLUMN digest bytea', made);
        END LOOP;
    END
    $$
    """,
    """
    COMMENT ON COLUMN lookalike.records.digest IS
        'SHA-256 of the encoded picture that the embedding was made of, null where that is not known.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
