"""Decisions about duplicates know which of the removed came back, and what the pictures were that were dismissed."""

from alembic import op

revision = "0023"
down_revision = "0022"

STATEMENTS = [
    """
    ALTER TABLE lookalike.duplicate_decisions
        ADD COLUMN restored text[] COLLATE "C" NOT NULL DEFAULT '{}',
        ADD COLUMN pictures text[] NOT NULL DEFAULT '{}'
    """,
    "COMMENT ON COLUMN lookalike.duplicate_decisions.restored IS 'Those of the removed that came back from the trash.'",
    """
    COMMENT ON COLUMN lookalike.duplicate_decisions.pictures IS
        'What the pictures of dismissed members were known by, in the order of the members; empty: that is not known.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
