-- Gives every function of the schema that has a search_path of its own the same one: pg_catalog, then the schema that
-- pgvector lies in here, pg_temp last. The files say `public`, pgvector's usual place; where it is another (`extensions`,
-- say), or is moved later, this puts it right.
--
-- Result: the number of functions that were changed; 0 when run again, and where pgvector is not installed.
-- Rights: the caller's, who must own the functions. Called after the files of sql/ are applied.
CREATE OR REPLACE FUNCTION lookalike.set_search_paths() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    home text := (
        SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e
        JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector');
    found record;
    changed integer := 0;
BEGIN
    FOR found IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_catalog.pg_proc AS p, unnest(p.proconfig) AS setting
        WHERE p.pronamespace = 'lookalike'::regnamespace
          AND setting LIKE 'search\_path=%'
          AND setting <> format('search_path=pg_catalog, %s, pg_temp', home)
    LOOP
        EXECUTE format('ALTER ROUTINE %s SET search_path = pg_catalog, %s, pg_temp', found.signature, home);
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END;
$$;

COMMENT ON FUNCTION lookalike.set_search_paths() IS
    'Points the fixed search_path of every function at the schema of pgvector. Caller''s rights.';
