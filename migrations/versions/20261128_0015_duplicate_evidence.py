"""A second kind of evidence of duplicates, perceptual hashes, and judgements of pairs by people."""

from alembic import op

revision = "0015"
down_revision = "0014"

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
            WHERE c.name IN ('duplicate_hashes', 'duplicate_judgements')
        LOOP
            EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
        END LOOP;
    END
    $$
    """,
    "ALTER TABLE lookalike.duplicate_scans ADD COLUMN hashes boolean NOT NULL DEFAULT false",
    "COMMENT ON COLUMN lookalike.duplicate_scans.hashes IS 'Whether pairs by perceptual hash are stored, too.'",
    "ALTER TABLE lookalike.duplicate_pairs ADD COLUMN hash_distance double precision",
    """
    COMMENT ON COLUMN lookalike.duplicate_pairs.hash_distance IS
        'The distance of the perceptual hashes, on the same scale; null where one of the two has none.'
    """,
    """
    CREATE TABLE lookalike.duplicate_hashes (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_hashes_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        hash bytea CONSTRAINT duplicate_hashes_hash_check CHECK (octet_length(hash) = 32),
        of bytea NOT NULL,
        CONSTRAINT duplicate_hashes_pkey PRIMARY KEY (collection_id, id)
    )
    """,
    """
    COMMENT ON TABLE lookalike.duplicate_hashes IS
        'Perceptual hashes of thumbnails, made when duplicates are looked for; null where a picture is plain.'
    """,
    "COMMENT ON COLUMN lookalike.duplicate_hashes.of IS 'The MD5 of the thumbnail that the hash is of.'",
    """
    CREATE TABLE lookalike.duplicate_judgements (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_judgements_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        one text COLLATE "C" NOT NULL,
        other text COLLATE "C" NOT NULL,
        distance double precision NOT NULL,
        same boolean NOT NULL,
        judged_at timestamptz NOT NULL DEFAULT now(),
        judged_by text NOT NULL,
        CONSTRAINT duplicate_judgements_pkey PRIMARY KEY (collection_id, one, other),
        CONSTRAINT duplicate_judgements_order_check CHECK (one < other)
    )
    """,
    """
    COMMENT ON TABLE lookalike.duplicate_judgements IS
        'Whether two records show the same picture, as people say; a radius is chosen by it.'
    """,
    """
    COMMENT ON COLUMN lookalike.duplicate_judgements.distance IS
        'The distance at which the pair was judged: the judgement counts as long as the pair lies there.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
