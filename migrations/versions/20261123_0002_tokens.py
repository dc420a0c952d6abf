"""Tokens and their grants."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = [
    """
    CREATE TABLE lookalike.tokens (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT tokens_pkey PRIMARY KEY,
        label text NOT NULL DEFAULT '',
        digest bytea NOT NULL CONSTRAINT tokens_digest_key UNIQUE,
        scopes text[] NOT NULL,
        all_collections boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        revoked_at timestamptz,
        CONSTRAINT tokens_digest_check CHECK (octet_length(digest) = 32),
        CONSTRAINT tokens_scopes_check CHECK (
            scopes <@ ARRAY['read', 'write', 'admin'] AND cardinality(scopes) > 0)
    )
    """,
    """
    CREATE TABLE lookalike.token_collections (
        token_id integer NOT NULL
            CONSTRAINT token_collections_token_id_fkey REFERENCES lookalike.tokens ON DELETE CASCADE,
        collection_id integer NOT NULL
            CONSTRAINT token_collections_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        CONSTRAINT token_collections_pkey PRIMARY KEY (token_id, collection_id)
    )
    """,
    "CREATE INDEX token_collections_collection_id_idx ON lookalike.token_collections (collection_id)",
    "COMMENT ON TABLE lookalike.tokens IS 'API tokens, by the SHA-256 of the token; revoked ones stay on record.'",
    "COMMENT ON TABLE lookalike.token_collections IS 'Which collections a token that is not for all may use.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
