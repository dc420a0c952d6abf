-- The extension and the two logins of a fresh database in docker compose; psql runs it once, as the superuser, after
-- roles.sql. The passwords come from the environment of psql, so that none stands in a file of the project.
--
--   lookalike_owner    owns the schema: upgrades it, makes collections and tokens, builds indexes
--   lookalike_server   serves: reads the schema, writes records (its rights are those of lookalike_app)
\getenv owner_password OWNER_PASSWORD
\getenv server_password SERVER_PASSWORD
CREATE EXTENSION IF NOT EXISTS vector;
CREATE ROLE lookalike_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE lookalike_server LOGIN PASSWORD :'server_password' IN ROLE lookalike_app;
GRANT CREATE ON DATABASE :"DBNAME" TO lookalike_owner;
