-- Where the records of a collection lie: in one table here or, with Citus, on its workers.
--
-- Argument: the name of a table of the schema lookalike, or of one of the partitions that Citus has taken over.
-- Result: one row. `layout` is local, whole (one table, on one worker) or hash (several, by a hash of the ids); `shards` how
--   many tables. The other columns are NULL for a local table, about which the catalogue here knows all; else sums over the
--   shards: `rows` as the planner believes them, `table_bytes`, `index_bytes`, and `indexes`, an object of the rows of each index by
--   its name. A worker that is away adds nothing to them.
-- The setting lookalike.layout says `layout` where Citus does not: tests have the statements for hash run on one node by it.
-- Rights: the caller's. Fixed search_path. Called by queries.
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
    SELECT sum(f.rows) FILTER (WHERE f.name = relation), sum(f.bytes) FILTER (WHERE f.name = relation),
           sum(f.index_bytes),
           coalesce(jsonb_object_agg(f.name, f.rows) FILTER (WHERE f.name <> relation), '{}')
    INTO rows, table_bytes, index_bytes, indexes
    FROM lookalike.shard_facts(ARRAY[relation]) AS f;
END;
$$;

COMMENT ON FUNCTION lookalike.placement(text) IS
    'Internal: where the records of a collection lie, with sums over the shards of Citus. Caller''s rights.';
