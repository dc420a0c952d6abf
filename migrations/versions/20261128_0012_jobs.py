"""Jobs: long work that goes on in the background, and the records that it could not take."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = [
    # The views of collections that were called so make room for the tables.
    """
    DO $$
    DECLARE
        named record;
    BEGIN
        FOR named IN
            SELECT c.id, c.name FROM lookalike.collections AS c
            WHERE c.name IN ('jobs', 'job_rejects', 'job_workers')
        LOOP
            IF to_regclass('lookalike.' || named.name) IS NOT NULL THEN
                EXECUTE format('ALTER VIEW lookalike.%I RENAME TO %I', named.name, format('collection_%s', named.id));
            END IF;
        END LOOP;
    END
    $$
    """,
    # No foreign keys: a collection is dropped, and a token revoked, without waiting for the job that is at it.
    """
    CREATE TABLE lookalike.jobs (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT jobs_pkey PRIMARY KEY,
        kind text NOT NULL CONSTRAINT jobs_kind_check CHECK (kind ~ '^[a-z][a-z-]{0,39}$'),
        collection_id integer,
        collection text,
        parameters jsonb NOT NULL DEFAULT '{}'::jsonb
            CONSTRAINT jobs_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
        state text NOT NULL DEFAULT 'queued' CONSTRAINT jobs_state_check CHECK (state IN (
            'queued', 'running', 'pausing', 'paused', 'done', 'done_with_rejects', 'failed', 'cancelled')),
        phase text,
        done bigint NOT NULL DEFAULT 0,
        total bigint,
        rejected bigint NOT NULL DEFAULT 0,
        bytes bigint NOT NULL DEFAULT 0,
        indexed bigint,
        rate double precision,
        checkpoint jsonb,
        outcome jsonb,
        error text,
        priority integer NOT NULL DEFAULT 0,
        reserved text,
        local boolean NOT NULL DEFAULT false,
        worker text,
        attempt integer NOT NULL DEFAULT 0,
        token_id integer,
        idempotency_key text
            CONSTRAINT jobs_idempotency_key_check CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
        request_digest bytea,
        source_digest bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        heartbeat_at timestamptz,
        finished_at timestamptz
    ) WITH (fillfactor = 50)
    """,
    # At most one worker at a collection's jobs of one kind, whatever the workers believe.
    """
    CREATE UNIQUE INDEX jobs_at_work_idx ON lookalike.jobs (collection_id, kind) WHERE worker IS NOT NULL
    """,
    """
    CREATE UNIQUE INDEX jobs_idempotency_key_idx ON lookalike.jobs (token_id, idempotency_key) NULLS NOT DISTINCT
        WHERE idempotency_key IS NOT NULL
    """,
    """
    CREATE INDEX jobs_unfinished_idx ON lookalike.jobs (id)
        WHERE state IN ('queued', 'running', 'pausing') OR worker IS NOT NULL
    """,
    """
    CREATE TABLE lookalike.job_rejects (
        job_id bigint NOT NULL
            CONSTRAINT job_rejects_job_id_fkey REFERENCES lookalike.jobs ON DELETE CASCADE,
        line bigint NOT NULL,
        id text,
        code integer NOT NULL,
        reason text NOT NULL,
        source text,
        CONSTRAINT job_rejects_pkey PRIMARY KEY (job_id, line)
    )
    """,
    """
    CREATE TABLE lookalike.job_workers (
        name text NOT NULL CONSTRAINT job_workers_pkey PRIMARY KEY,
        seen_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "COMMENT ON TABLE lookalike.jobs IS 'Long work: what was asked for, how far it is, and what became of it.'",
    "COMMENT ON COLUMN lookalike.jobs.collection IS 'Name of the collection when the job was made; it may be dropped.'",
    "COMMENT ON COLUMN lookalike.jobs.checkpoint IS 'Where another worker goes on, with the progress up to there.'",
    "COMMENT ON COLUMN lookalike.jobs.reserved IS 'The only worker that may begin it; null: any.'",
    "COMMENT ON COLUMN lookalike.jobs.local IS 'Whether it reads or writes what only the machine of its command has.'",
    "COMMENT ON COLUMN lookalike.jobs.worker IS 'Who is at it; null: nobody.'",
    "COMMENT ON COLUMN lookalike.jobs.attempt IS 'How often a worker took it: one that lost it writes nothing more.'",
    "COMMENT ON TABLE lookalike.job_workers IS 'Workers that take jobs of any kind, and when each was seen last.'",
    "COMMENT ON TABLE lookalike.job_rejects IS 'Records that a job could not take, and why.'",
    "COMMENT ON COLUMN lookalike.job_rejects.source IS 'The record as it came, to be mended and sent again.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
