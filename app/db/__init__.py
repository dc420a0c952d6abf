"""PostgreSQL: the only part that knows SQLAlchemy, psycopg and SQL text."""
