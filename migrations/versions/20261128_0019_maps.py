"""Maps: where the records of a collection lie in a plane in which neighbours look alike."""

from alembic import op

revision = "0019"
down_revision = "0018"

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
            WHERE c.name IN ('maps', 'map_points', 'map_clusters', 'map_parts', 'map_states', 'map_records')
        LOOP
            EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
        END LOOP;
    END
    $$
    """,
    """
    CREATE TABLE lookalike.maps (
        collection_id integer NOT NULL
            CONSTRAINT maps_pkey PRIMARY KEY
            CONSTRAINT maps_collection_id_fkey REFERENCES lookalike.collections ON DELETE CASCADE,
        generation integer NOT NULL,
        version bigint GENERATED ALWAYS AS IDENTITY,
        layout text NOT NULL CONSTRAINT maps_layout_check CHECK (layout IN ('none', 'principal', 'neighbours')),
        seed integer NOT NULL,
        places integer NOT NULL DEFAULT 0,
        begun_at timestamptz NOT NULL DEFAULT now(),
        made_at timestamptz,
        draft bytea
    )
    """,
    "COMMENT ON TABLE lookalike.maps IS 'Collections that have a map: of which vectors, by which layout.'",
    """
    COMMENT ON COLUMN lookalike.maps.generation IS
        'The generation of the vectors; the map is out of date where the collection has another.'
    """,
    "COMMENT ON COLUMN lookalike.maps.version IS 'Another one with each layout.'",
    "COMMENT ON COLUMN lookalike.maps.places IS 'How many places were given: the next point gets this one.'",
    "COMMENT ON COLUMN lookalike.maps.draft IS 'The layout that a job is at, to go on with; null where none is.'",
    """
    CREATE TABLE lookalike.map_points (
        collection_id integer NOT NULL
            CONSTRAINT map_points_collection_id_fkey REFERENCES lookalike.maps ON DELETE CASCADE,
        id text COLLATE "C" NOT NULL,
        place integer NOT NULL,
        x real NOT NULL,
        y real NOT NULL,
        apart real,
        cluster smallint,
        placed boolean NOT NULL DEFAULT false,
        CONSTRAINT map_points_pkey PRIMARY KEY (collection_id, id)
    )
    """,
    "COMMENT ON TABLE lookalike.map_points IS 'Where records lie on the map of their collection.'",
    """
    COMMENT ON COLUMN lookalike.map_points.place IS
        'Its number in the answers of the API, which no other point of this version ever gets.'
    """,
    """
    COMMENT ON COLUMN lookalike.map_points.apart IS
        'The mean distance of its five nearest neighbours, on the API''s scale; null before they are known.'
    """,
    "COMMENT ON COLUMN lookalike.map_points.cluster IS 'Its cluster; null where it is in none.'",
    """
    COMMENT ON COLUMN lookalike.map_points.placed IS
        'Whether it was put beside its neighbours after the layout was made.'
    """,
    """
    CREATE TABLE lookalike.map_clusters (
        collection_id integer NOT NULL
            CONSTRAINT map_clusters_collection_id_fkey REFERENCES lookalike.maps ON DELETE CASCADE,
        cluster smallint NOT NULL,
        x real NOT NULL,
        y real NOT NULL,
        CONSTRAINT map_clusters_pkey PRIMARY KEY (collection_id, cluster)
    )
    """,
    "COMMENT ON TABLE lookalike.map_clusters IS 'Where maps are densest: a cluster around each such place.'",
    """
    CREATE TABLE lookalike.map_parts (
        collection_id integer NOT NULL
            CONSTRAINT map_parts_collection_id_fkey REFERENCES lookalike.maps ON DELETE CASCADE,
        part integer NOT NULL,
        ids text[] COLLATE "C" NOT NULL,
        marks bytea NOT NULL,
        neighbours bytea,
        CONSTRAINT map_parts_pkey PRIMARY KEY (collection_id, part)
    )
    """,
    "COMMENT ON TABLE lookalike.map_parts IS 'What a job that makes a map goes on with: records and their neighbours.'",
    "COMMENT ON COLUMN lookalike.map_parts.marks IS 'Eight bytes of the MD5 of each record''s vector.'",
    """
    COMMENT ON COLUMN lookalike.map_parts.neighbours IS
        'Of each record its neighbours'' numbers (int32) and similarities (float32); null before they are known.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
