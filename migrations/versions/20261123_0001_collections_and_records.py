"""Collections, records, thumbnails."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = [
    # What is said of the schema is also how `lookalike db uninstall` knows whether the extension goes with it.
    """
    DO $$
    BEGIN
        IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'vector') THEN
            COMMENT ON SCHEMA lookalike IS 'Lookalike: visual similarity search.';
        ELSE
            CREATE EXTENSION vector SCHEMA public;
            COMMENT ON SCHEMA lookalike IS 'Lookalike: visual similarity search. The extension vector came with it.';
        END IF;
    END
    $$
    """,
    # pgvector's types are found wherever the house keeps it.
    """
    SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname), false)
    FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector'
    """,
    """
    CREATE TABLE lookalike.collections (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT collections_pkey PRIMARY KEY,
        name text COLLATE "C" NOT NULL CONSTRAINT collections_name_key UNIQUE,
        service text NOT NULL,
        model text NOT NULL,
        model_revision text NOT NULL,
        dimensions integer NOT NULL,
        distance_scale double precision NOT NULL,
        capacity bigint,
        settings jsonb NOT NULL DEFAULT '{}'::jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT collections_name_check CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
        CONSTRAINT collections_service_check CHECK (
            service IN ('photo', 'image_matching', 'products', 'custom', 'fashion', 'colors', 'homedecor')),
        CONSTRAINT collections_dimensions_check CHECK (dimensions BETWEEN 1 AND 4000),
        CONSTRAINT collections_distance_scale_check CHECK (distance_scale > 0),
        CONSTRAINT collections_capacity_check CHECK (capacity > 0),
        CONSTRAINT collections_settings_check CHECK (jsonb_typeof(settings) = 'object')
    )
    """,
    """
    CREATE TABLE lookalike.records (
        collection_id integer NOT NULL,
        id text COLLATE "C" NOT NULL,
        attributes jsonb NOT NULL,
        embedding halfvec NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT records_pkey PRIMARY KEY (collection_id, id),
        CONSTRAINT records_id_check CHECK (octet_length(id) BETWEEN 1 AND 1024),
        CONSTRAINT records_attributes_check CHECK (jsonb_typeof(attributes) = 'object')
    ) PARTITION BY LIST (collection_id)
    """,
    "CREATE INDEX records_attributes_idx ON lookalike.records USING gin (attributes jsonb_path_ops)",
    """
    CREATE TABLE lookalike.thumbnails (
        collection_id integer NOT NULL,
        id text COLLATE "C" NOT NULL,
        webp bytea NOT NULL,
        CONSTRAINT thumbnails_pkey PRIMARY KEY (collection_id, id)
    ) PARTITION BY LIST (collection_id)
    """,
    """
    CREATE TABLE lookalike.applied_sql (
        name text NOT NULL CONSTRAINT applied_sql_pkey PRIMARY KEY,
        digest text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "COMMENT ON TABLE lookalike.collections IS 'One row a collection: its service, model and vector space.'",
    "COMMENT ON TABLE lookalike.records IS 'One row a record: attributes and embedding; a partition a collection.'",
    "COMMENT ON TABLE lookalike.thumbnails IS 'A small WebP picture of a record; a partition a collection.'",
    "COMMENT ON TABLE lookalike.applied_sql IS 'Which file of sql/ was applied, by the SHA-256 of its text.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
