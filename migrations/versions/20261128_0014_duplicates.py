"""Duplicates as a workflow: pairs that are kept up to date, decisions about them, and a trash."""

from alembic import op

revision = "0014"
down_revision = "0013"

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
            WHERE c.name IN ('duplicate_scans', 'duplicate_pairs', 'duplicate_copies', 'duplicate_changes',
                             'duplicate_decisions', 'trash', 'duplicates', 'duplicate_states', 'decisions',
                             'trashed_records')
        LOOP
            EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
        END LOOP;
    END
    $$
    """,
    """
    CREATE TABLE lookalike.duplicate_scans (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_scans_pkey PRIMARY KEY
            CONSTRAINT duplicate_scans_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        radius double precision NOT NULL CONSTRAINT duplicate_scans_radius_check CHECK (radius >= 0),
        generation integer NOT NULL,
        compared_to text COLLATE "C",
        begun_at timestamptz NOT NULL DEFAULT now(),
        completed_at timestamptz
    )
    """,
    """
    COMMENT ON TABLE lookalike.duplicate_scans IS
        'Collections whose pairs of near duplicates are stored: within which radius, and how far the scan is.'
    """,
    """
    COMMENT ON COLUMN lookalike.duplicate_scans.generation IS
        'The generation of the vectors that were compared; the pairs are out of date where the collection has another.'
    """,
    """
    COMMENT ON COLUMN lookalike.duplicate_scans.compared_to IS
        'The pairs of records up to this id are stored; null before the first.'
    """,
    """
    CREATE TABLE lookalike.duplicate_pairs (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_pairs_collection_id_fkey REFERENCES lookalike.duplicate_scans ON DELETE CASCADE,
        one text COLLATE "C" NOT NULL,
        other text COLLATE "C" NOT NULL,
        distance double precision NOT NULL,
        CONSTRAINT duplicate_pairs_pkey PRIMARY KEY (collection_id, one, other),
        CONSTRAINT duplicate_pairs_order_check CHECK (one < other)
    )
    """,
    "CREATE INDEX duplicate_pairs_other_idx ON lookalike.duplicate_pairs (collection_id, other)",
    "CREATE INDEX duplicate_pairs_distance_idx ON lookalike.duplicate_pairs (collection_id, distance)",
    """
    COMMENT ON TABLE lookalike.duplicate_pairs IS
        'Pairs of near duplicates, without those of duplicate_copies; the view duplicates has all.'
    """,
    """
    CREATE TABLE lookalike.duplicate_copies (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_copies_collection_id_fkey REFERENCES lookalike.duplicate_scans ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        first text COLLATE "C" NOT NULL,
        CONSTRAINT duplicate_copies_pkey PRIMARY KEY (collection_id, id)
    )
    """,
    "CREATE INDEX duplicate_copies_first_idx ON lookalike.duplicate_copies (collection_id, first)",
    """
    COMMENT ON TABLE lookalike.duplicate_copies IS
        'Records with the vector of another one, the first, whose pairs are theirs, too: thousands may share one.'
    """,
    """
    CREATE TABLE lookalike.duplicate_changes (
        collection_id integer NOT NULL
            CONSTRAINT duplicate_changes_collection_id_fkey REFERENCES lookalike.duplicate_scans ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        sequence bigint GENERATED ALWAYS AS IDENTITY,
        CONSTRAINT duplicate_changes_pkey PRIMARY KEY (collection_id, sequence)
    )
    """,
    """
    COMMENT ON TABLE lookalike.duplicate_changes IS
        'Records that were written since their pairs were made; a trigger notes them.'
    """,
    """
    CREATE TABLE lookalike.duplicate_decisions (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT duplicate_decisions_pkey PRIMARY KEY,
        collection_id integer NOT NULL
            CONSTRAINT duplicate_decisions_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        kind text NOT NULL CONSTRAINT duplicate_decisions_kind_check CHECK (kind IN ('resolved', 'dismissed')),
        members text[] COLLATE "C" NOT NULL
            CONSTRAINT duplicate_decisions_members_check CHECK (cardinality(members) > 1),
        removed text[] COLLATE "C" NOT NULL DEFAULT '{}',
        reason text,
        merged jsonb,
        made_at timestamptz NOT NULL DEFAULT now(),
        made_by text NOT NULL,
        undone_at timestamptz,
        undone_by text
    )
    """,
    "CREATE INDEX duplicate_decisions_made_idx ON lookalike.duplicate_decisions (collection_id, id)",
    """
    CREATE INDEX duplicate_decisions_members_idx ON lookalike.duplicate_decisions USING gin (members)
        WHERE kind = 'dismissed' AND undone_at IS NULL
    """,
    """
    COMMENT ON TABLE lookalike.duplicate_decisions IS
        'What people decided about near duplicates: who, when, and whether it was undone.'
    """,
    """
    COMMENT ON COLUMN lookalike.duplicate_decisions.merged IS
        'The attributes that a merge changed in the record that was kept: its id, and their values before and after.'
    """,
    """
    CREATE TABLE lookalike.trash (
        number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT trash_pkey PRIMARY KEY,
        collection_id integer NOT NULL
            CONSTRAINT trash_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        decision_id bigint
            CONSTRAINT trash_decision_id_fkey REFERENCES lookalike.duplicate_decisions ON DELETE SET NULL,
        removed_at timestamptz NOT NULL DEFAULT now(),
        removed_by text NOT NULL,
        purge_at timestamptz NOT NULL,
        generation integer NOT NULL,
        attributes jsonb NOT NULL,
        embedding halfvec NOT NULL,
        digest bytea,
        created_at timestamptz NOT NULL,
        thumbnail bytea,
        picture bytea,
        box integer[]
    )
    """,
    "CREATE INDEX trash_record_idx ON lookalike.trash (collection_id, id, number)",
    "CREATE INDEX trash_decision_idx ON lookalike.trash (decision_id) WHERE decision_id IS NOT NULL",
    "CREATE INDEX trash_purge_idx ON lookalike.trash (purge_at)",
    "COMMENT ON TABLE lookalike.trash IS 'Records that were removed and can be brought back whole until purge_at.'",
    "COMMENT ON COLUMN lookalike.trash.generation IS 'The generation of the vector: of another, it cannot come back.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
