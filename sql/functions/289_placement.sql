-- Where the records of a collection lie: in one table here or, with Citus, on its workers.
--
-- Argument: the name of a table of the schema lookalike, or of one of the partitions that Citus has taken over.
-- Result: one row. `layout` is local, whole (one table, on one worker) or hash (several, by a hash of the ids); `shards` how
--   many tables. The other columns are NULL for a local table, about which the catalogue here knows all; else sums over the
--   shards: `rows` as the planner believes them, `table_bytes`, `index_bytes`, and `indexes`, an object of the rows of each index by
--   its name. A worker that is away adds nothing to them.
-- The setting lookalike.layout says `layout` where Citus does not: tests have the statements for hash run on one node by it.
-- Rights: the caller's. Fixed search_path. Called by the view collection_stats and by queries.
CREATE OR REPLACE FUNCTION lookalike.placement(
    relation text,
    OUT layout text,
    OUT shards integer,
    OUT rows bigint,
    OUT table_bytes bigint,
    OUT index_bytes bigint,
    OUT indexes jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    layout := coalesce(nullif(current_setting('lookalike.layout', true), ''), 'local');
    shards := 1;
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN;
    END IF;
    EXECUTE 'SELECT CASE p.partmethod WHEN ''h'' THEN ''hash'' ELSE ''whole'' END,
                    (SELECT count(*) FROM pg_catalog.pg_dist_shard AS s WHERE s.logicalrelid = p.logicalrelid)
             FROM pg_catalog.pg_dist_partition AS p
             WHERE p.logicalrelid = to_regclass($1) AND (p.partmethod = ''h'' OR p.colocationid > 0)'
        INTO layout, shards USING 'lookalike.' || relation;
    IF layout IS NULL THEN
        layout := 'local';
        shards := 1;
        RETURN;
    END IF;
    -- A shard's tables and indexes have the names of those here, with the number of the shard behind.
    EXECUTE 'SELECT sum(f.rows) FILTER (WHERE f.name = $2), sum(f.bytes) FILTER (WHERE f.name = $2),
                    coalesce(sum(f.bytes) FILTER (WHERE f.name <> $2), 0),
                    coalesce(jsonb_object_agg(f.name, f.rows) FILTER (WHERE f.name <> $2), ''{}'')
             FROM (
                 SELECT e.name, sum(e.rows)::bigint AS rows, sum(e.bytes)::bigint AS bytes
                 FROM pg_catalog.run_command_on_shards(to_regclass($1), $3) AS s,
                     jsonb_to_recordset(s.result::jsonb) AS e (name text, rows bigint, bytes bigint)
                 WHERE s.success
                 GROUP BY e.name
             ) AS f'
        INTO rows, table_bytes, index_bytes, indexes
        USING 'lookalike.' || relation, relation,
            'SELECT jsonb_agg(jsonb_build_object(
                 ''name'', left(t.relname::text, -1 - length(substring(t.relname::text FROM ''[0-9]+$''))),
                 ''rows'', greatest(t.reltuples, 0)::bigint,
                 ''bytes'', CASE t.relkind WHEN ''i'' THEN pg_relation_size(t.oid) ELSE pg_table_size(t.oid) END))
             FROM pg_catalog.pg_class AS t
             WHERE t.oid = ''%1$s''::regclass
                 OR t.oid IN (SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = ''%1$s''::regclass)';
END;
$$;

COMMENT ON FUNCTION lookalike.placement(text) IS
    'Internal: where the records of a collection lie, with sums over the shards of Citus. Caller''s rights.';
