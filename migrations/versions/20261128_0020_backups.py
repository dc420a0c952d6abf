"""Which backups were taken, where they lie, and when each was last restored and compared."""

from alembic import op

revision = "0020"
down_revision = "0019"

STATEMENTS = [
    """
    CREATE TABLE lookalike.backups (
        name text NOT NULL,
        place text NOT NULL,
        begun_at timestamptz NOT NULL,
        ended_at timestamptz NOT NULL,
        bytes bigint NOT NULL,
        records bigint NOT NULL,
        verified_at timestamptz,
        differences text[] NOT NULL DEFAULT '{}',
        CONSTRAINT backups_pkey PRIMARY KEY (name, place)
    )
    """,
    """
    COMMENT ON TABLE lookalike.backups IS
        'Backups that were taken by lookalike backup: of which moment, where they lie, when each was last restored.'
    """,
    "COMMENT ON COLUMN lookalike.backups.place IS 'The host and the folder.'",
    "COMMENT ON COLUMN lookalike.backups.verified_at IS 'When it was last restored elsewhere and compared.'",
    "COMMENT ON COLUMN lookalike.backups.differences IS 'What differed then; none: it holds what it should.'",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
