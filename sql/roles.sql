-- The two roles of Lookalike. A role belongs to the whole cluster, and making one needs the right to: run this once, as
-- somebody who has it (a superuser, or a role with CREATEROLE), in the database that holds the schema. It may be run again.
--
--   lookalike_app     what the server needs: reads the schema, writes records; no tokens, no collections, no indexes
--   lookalike_reader  for analysts: the views and functions
--
-- Neither can log in. Give each server and person a login of its own:
--   CREATE ROLE shop_search LOGIN PASSWORD '…' IN ROLE lookalike_app;
DO $$
BEGIN
    IF pg_catalog.to_regrole('lookalike_app') IS NULL THEN
        CREATE ROLE lookalike_app NOLOGIN;
        COMMENT ON ROLE lookalike_app IS 'Lookalike''s server: reads the schema lookalike, writes records.';
    END IF;
    IF pg_catalog.to_regrole('lookalike_reader') IS NULL THEN
        CREATE ROLE lookalike_reader NOLOGIN;
        COMMENT ON ROLE lookalike_reader IS 'Analysts: the views and functions of the schema lookalike.';
    END IF;
    -- The rights; `lookalike db upgrade` and every new collection repeat this for what they add.
    IF pg_catalog.to_regprocedure('lookalike.grant_rights()') IS NOT NULL THEN
        PERFORM lookalike.grant_rights();
    END IF;
END
$$;
