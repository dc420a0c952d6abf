"""${message}

Rules, checked by `lookalike db check` and the tests:
- a released migration is never changed; its successor is written instead;
- tables, indexes and data only: functions and views live in sql/ and are applied after the migrations;
- no call of a function of sql/: its body today is not its body when this runs;
- every statement is safe while the server runs: lock and statement timeouts are set below, a large table is changed in
  small steps, an index on it is built CONCURRENTLY;
- expand first, contract a release later: the programs of the release before serve while this runs and afterwards. What
  they read or write (tables, columns, types) stays, and what they write stays allowed: a new column is nullable or has
  a default. What nothing uses since an earlier release may go; then the migration also says which program is the oldest
  that can do without: UPDATE lookalike.schema_facts SET oldest_program = '<that release>'.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    ${upgrades if upgrades else "raise NotImplementedError"}
