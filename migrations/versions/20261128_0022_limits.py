"""The size of a token's requests is limited, too."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute(
        """
        ALTER TABLE lookalike.tokens
            ADD COLUMN body_bytes integer CONSTRAINT tokens_body_bytes_check CHECK (body_bytes > 0),
            ADD COLUMN batch_records integer CONSTRAINT tokens_batch_records_check CHECK (batch_records > 0)
        """
    )
