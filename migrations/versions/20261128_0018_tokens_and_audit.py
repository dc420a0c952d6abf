"""Tokens that expire, are replaced and have limits, and the log of who changed what."""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = [
    # The views of collections that were called so make room for the table and its view.
    """
    DO $$
    DECLARE
        named record;
    BEGIN
        FOR named IN
            SELECT c.id, c.name FROM lookalike.collections AS c
            WHERE c.name IN ('audit', 'audit_log')
        LOOP
            IF to_regclass('lookalike.' || named.name) IS NOT NULL THEN
                EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
            END IF;
        END LOOP;
    END
    $$
    """,
    """
    ALTER TABLE lookalike.tokens
        ADD COLUMN expires_at timestamptz,
        ADD COLUMN last_used_at timestamptz,
        ADD COLUMN replaces integer CONSTRAINT tokens_replaces_fkey REFERENCES lookalike.tokens,
        ADD COLUMN requests_per_second double precision
            CONSTRAINT tokens_requests_per_second_check CHECK (requests_per_second > 0),
        ADD COLUMN pictures_per_second double precision
            CONSTRAINT tokens_pictures_per_second_check CHECK (pictures_per_second > 0),
        ADD COLUMN concurrent_searches integer
            CONSTRAINT tokens_concurrent_searches_check CHECK (concurrent_searches > 0)
    """,
    # No foreign keys: an entry outlives the token and the collection that it names.
    """
    CREATE TABLE lookalike.audit_log (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        token_id integer,
        actor text,
        action text NOT NULL,
        collection text,
        target text,
        code integer NOT NULL,
        request_id text
    )
    """,
    "CREATE INDEX audit_log_at_idx ON lookalike.audit_log (at)",
    "COMMENT ON COLUMN lookalike.tokens.expires_at IS 'From then on the token is refused; null: never.'",
    "COMMENT ON COLUMN lookalike.tokens.last_used_at IS 'When it was used last, to a minute or so.'",
    "COMMENT ON COLUMN lookalike.tokens.replaces IS 'The token in whose place this one was made.'",
    "COMMENT ON TABLE lookalike.audit_log IS 'Who changed what, and when; nothing of the data.'",
    "COMMENT ON COLUMN lookalike.audit_log.actor IS 'The user of the command line; null for a request with a token.'",
    "COMMENT ON COLUMN lookalike.audit_log.code IS 'The code of the answer; of a command, that which it exits with.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
