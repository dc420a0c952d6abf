"""What a search's steps cost on this database, as `lookalike db calibrate` measured it."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = [
    """
    CREATE TABLE lookalike.search_costs (
        dimensions integer NOT NULL CONSTRAINT search_costs_pkey PRIMARY KEY,
        distance_us double precision NOT NULL,
        match_us double precision NOT NULL,
        candidate_us double precision NOT NULL,
        measured_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT search_costs_dimensions_check CHECK (dimensions BETWEEN 1 AND 4000),
        CONSTRAINT search_costs_distance_us_check CHECK (distance_us > 0),
        CONSTRAINT search_costs_match_us_check CHECK (match_us > 0),
        CONSTRAINT search_costs_candidate_us_check CHECK (candidate_us > 0)
    )
    """,
    """
    COMMENT ON TABLE lookalike.search_costs IS
        'Measured costs of a search, in microseconds: a distance, a match of a filter, a candidate of the index.'
    """,
]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for statement in STATEMENTS:
        op.execute(statement)
