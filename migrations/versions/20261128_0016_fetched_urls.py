"""What hosts gave to ask with whether a picture has changed."""

from alembic import op

revision = "0016"
down_revision = "0015"

STATEMENTS = [
    # The view of a collection that was called so makes room for the table.
    """
    DO $$
    DECLARE
        named record;
    BEGIN
        FOR named IN
            SELECT c.id, c.name FROM lookalike.collections AS c
            JOIN pg_class AS v ON v.relname = c.name AND v.relkind = 'v' AND v.relnamespace = 'lookalike'::regnamespace
            WHERE c.name = 'fetched_urls'
        LOOP
            EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
        END LOOP;
    END
    $$
    """,
    """
    CREATE TABLE lookalike.fetched_urls (
        url bytea NOT NULL CONSTRAINT fetched_urls_pkey PRIMARY KEY,
        place bytea NOT NULL,
        digest bytea NOT NULL,
        etag text,
        modified text,
        seen_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX fetched_urls_seen_at_idx ON lookalike.fetched_urls (seen_at)",
    """
    COMMENT ON TABLE lookalike.fetched_urls IS
        'URLs that imports fetched, by SHA-256, and what their hosts gave to ask with whether they have changed.'
    """,
    "COMMENT ON COLUMN lookalike.fetched_urls.place IS 'SHA-256 of the URL that answered, redirects followed.'",
    "COMMENT ON COLUMN lookalike.fetched_urls.digest IS 'SHA-256 of what was fetched.'",
    "COMMENT ON COLUMN lookalike.fetched_urls.modified IS 'The header Last-Modified, as it came.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
