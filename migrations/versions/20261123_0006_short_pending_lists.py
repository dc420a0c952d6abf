"""A short list of entries that wait for the index of the attributes, as every filtered search reads it whole."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = [
    # New collections get it from add_attributes_index. The lists are emptied by the next write or vacuum.
    """
    DO $$
    DECLARE
        found record;
    BEGIN
        FOR found IN
            SELECT i.indexrelid::regclass AS name
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
            JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
            WHERE c.relnamespace = 'lookalike'::regnamespace AND c.relkind = 'i' AND a.amname = 'gin'
        LOOP
            EXECUTE format('ALTER INDEX %s SET (gin_pending_list_limit = 128)', found.name);
        END LOOP;
    END
    $$
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
