"""The oldest program that may use the schema, so that servers can be upgraded one after the other."""

from alembic import op

revision = "0021"
down_revision = "0020"

STATEMENTS = [
    """
    CREATE TABLE lookalike.schema_facts (
        one boolean NOT NULL DEFAULT true,
        oldest_program text NOT NULL,
        CONSTRAINT schema_facts_pkey PRIMARY KEY (one),
        CONSTRAINT schema_facts_one_check CHECK (one)
    )
    """,
    "COMMENT ON TABLE lookalike.schema_facts IS 'One row: the oldest program that may use the schema.'",
    """
    COMMENT ON COLUMN lookalike.schema_facts.oldest_program IS
        'Version of the oldest program that may use the schema; raised by a migration that contracts it.'
    """,
    "INSERT INTO lookalike.schema_facts (oldest_program) VALUES ('0.1.0')",
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
