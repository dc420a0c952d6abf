"""Kept originals, and what a change of a collection's model needs."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = [
    """
    ALTER TABLE lookalike.collections
        ADD COLUMN generation integer NOT NULL DEFAULT 1,
        ADD CONSTRAINT collections_generation_check CHECK (generation > 0)
    """,
    """
    CREATE TABLE lookalike.originals (
        collection_id integer NOT NULL,
        id text COLLATE "C" NOT NULL,
        picture bytea STORAGE EXTERNAL,
        box integer[],
        CONSTRAINT originals_pkey PRIMARY KEY (collection_id, id),
        CONSTRAINT originals_content_check CHECK (picture IS NOT NULL OR box IS NOT NULL),
        CONSTRAINT originals_box_check CHECK (cardinality(box) = 4)
    ) PARTITION BY LIST (collection_id)
    """,
    """
    CREATE TABLE lookalike.reembeddings (
        collection_id integer NOT NULL CONSTRAINT reembeddings_pkey PRIMARY KEY
            CONSTRAINT reembeddings_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        model text NOT NULL,
        model_revision text NOT NULL,
        dimensions integer NOT NULL,
        distance_scale double precision NOT NULL,
        generation integer NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT reembeddings_dimensions_check CHECK (dimensions BETWEEN 1 AND 4000),
        CONSTRAINT reembeddings_distance_scale_check CHECK (distance_scale > 0)
    )
    """,
    """
    CREATE TABLE lookalike.reembedding_changes (
        collection_id integer NOT NULL
            CONSTRAINT reembedding_changes_collection_id_fkey REFERENCES lookalike.reembeddings ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        sequence bigint GENERATED ALWAYS AS IDENTITY,
        new_picture boolean NOT NULL,
        CONSTRAINT reembedding_changes_pkey PRIMARY KEY (collection_id, id, sequence)
    )
    """,
    """
    CREATE TABLE lookalike.reembedding_failures (
        collection_id integer NOT NULL
            CONSTRAINT reembedding_failures_collection_id_fkey REFERENCES lookalike.reembeddings ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        reason text NOT NULL,
        CONSTRAINT reembedding_failures_pkey PRIMARY KEY (collection_id, id)
    )
    """,
    "COMMENT ON COLUMN lookalike.collections.generation IS 'How often all vectors were made; part of a table''s name.'",
    "COMMENT ON TABLE lookalike.originals IS 'A record''s picture as it came, where it is kept, and the part in use.'",
    "COMMENT ON TABLE lookalike.reembeddings IS 'Collections whose vectors are being made anew by another model.'",
    "COMMENT ON TABLE lookalike.reembedding_changes IS 'What was written to such a collection and is to be done yet.'",
    "COMMENT ON TABLE lookalike.reembedding_failures IS 'Records whose picture could not be read again, and why.'",
    # The partitions of collections that are there already, as create_collection makes those of new ones.
    """
    DO $$
    DECLARE
        collection_id integer;
    BEGIN
        FOR collection_id IN SELECT c.id FROM lookalike.collections AS c ORDER BY c.id LOOP
            EXECUTE format(
                'CREATE TABLE lookalike.originals_%1$s
                     (LIKE lookalike.originals INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
                 ALTER TABLE lookalike.originals_%1$s
                     ADD PRIMARY KEY (collection_id, id),
                     ADD CHECK (collection_id = %1$s),
                     ADD FOREIGN KEY (collection_id, id) REFERENCES lookalike.records_%1$s ON DELETE CASCADE;
                 ALTER TABLE lookalike.originals ATTACH PARTITION lookalike.originals_%1$s FOR VALUES IN (%1$s)',
                collection_id);
        END LOOP;
    END;
    $$
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
