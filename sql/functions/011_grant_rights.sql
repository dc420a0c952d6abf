-- Gives the roles `lookalike_app` and `lookalike_reader` their rights on everything in the schema, by rule, so that
-- what a migration or a new collection adds is covered. Where a role does not exist, nothing is done for it.
--
--   lookalike_reader  reads views; nothing of the tables.
--   lookalike_app     reads tables and views; writes records and what belongs to them, which are the partitioned tables
--                     and their partitions, the log of searches, measured recall, and jobs. It makes no tokens and no collections, and
--                     owns nothing. A row lock on a collection needs the right to update one column: `created_at`,
--                     which decides nothing. It notes when a token was used, and who changed what: entries of
--                     audit_log it adds and, once they are old, deletes; it changes none.
--   everybody         may run no function that is VOLATILE, as those change the schema, and none that runs with the
--                     owner's rights. Both roles run those that are not VOLATILE; lookalike_app runs insert_record, too.
--
-- Result: the number of rights given or taken; 0 when run again.
-- Rights: the caller's, who must own the schema. Called after the files of sql/ are applied, by create_collection for
--   its partitions, and by `lookalike db roles`.
CREATE OR REPLACE FUNCTION lookalike.grant_rights() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    statement text;
    changed integer := 0;
BEGIN
    FOR statement IN
        WITH roles AS (
            SELECT r.rolname AS role FROM pg_catalog.pg_roles AS r
            WHERE r.rolname IN ('lookalike_app', 'lookalike_reader')
        ), relations AS (
            SELECT c.oid, c.relkind IN ('v', 'm') AS is_view,
                   c.relkind = 'p' OR c.relispartition
                   -- Citus' tables of a collection are no partitions.
                   OR c.relname ~ '^(records|thumbnails|originals)_[0-9]+(_v[0-9]+)?$'
                   OR c.relname IN ('search_log', 'index_recall', 'jobs', 'job_rejects', 'job_workers', 'duplicate_scans',
                                    'duplicate_pairs', 'duplicate_copies', 'duplicate_changes', 'duplicate_hashes',
                                    'duplicate_judgements', 'duplicate_decisions', 'trash', 'fetched_urls') AS holds_records,
                   c.relname = 'audit_log' AS is_kept
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = 'lookalike'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        ), routines AS (
            SELECT p.oid, p.proname AS name, p.provolatile = 'v' AS changes, p.prosecdef AS as_owner, p.proacl, p.proowner
            FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'lookalike'::regnamespace
        )
        SELECT format('GRANT USAGE ON SCHEMA lookalike TO %I', role)
        FROM roles WHERE NOT has_schema_privilege(role, 'lookalike', 'USAGE')
        UNION ALL
        SELECT format('GRANT %s ON %s TO %I', wanted, oid::regclass, role)
        FROM roles, relations, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted
        WHERE CASE WHEN wanted = 'SELECT' THEN is_view OR role = 'lookalike_app'
                   ELSE (holds_records OR is_kept AND wanted <> 'UPDATE') AND role = 'lookalike_app' END
          AND NOT has_table_privilege(role, oid, wanted)
        UNION ALL
        SELECT format('GRANT UPDATE (created_at) ON lookalike.collections TO %I', role)
        FROM roles
        WHERE role = 'lookalike_app' AND NOT has_column_privilege(role, 'lookalike.collections', 'created_at', 'UPDATE')
        UNION ALL
        SELECT format('GRANT UPDATE (last_used_at) ON lookalike.tokens TO %I', role)
        FROM roles
        WHERE role = 'lookalike_app' AND NOT has_column_privilege(role, 'lookalike.tokens', 'last_used_at', 'UPDATE')
        UNION ALL
        SELECT format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', oid::regprocedure)
        FROM routines
        WHERE (changes OR as_owner) AND EXISTS (
            SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a WHERE a.grantee = 0)
        UNION ALL
        SELECT format('GRANT EXECUTE ON ROUTINE %s TO %I', oid::regprocedure, role)
        FROM roles, routines
        WHERE (NOT changes OR role = 'lookalike_app' AND name IN (
              'insert_record', 'remove_to_trash', 'restore_from_trash', 'purge_trash', 'resolve_duplicates', 'lock_members',
              'dismiss_duplicates', 'undo_decision', 'take_back_merge', 'later_merges'))
          AND NOT has_function_privilege(role, oid, 'EXECUTE')
    LOOP
        EXECUTE statement;
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END;
$$;

COMMENT ON FUNCTION lookalike.grant_rights() IS
    'Gives the roles lookalike_app and lookalike_reader their rights on everything in the schema. Caller''s rights.';
