"""The version of the program that applied each file of `sql/`, so that an older one does not put its own back."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = [
    # Of files that were applied before, the version is not known: any program may replace them.
    "ALTER TABLE lookalike.applied_sql ADD COLUMN version text",
    """
    COMMENT ON COLUMN lookalike.applied_sql.version IS
        'Version of the program that applied the file; null where that is not known.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
