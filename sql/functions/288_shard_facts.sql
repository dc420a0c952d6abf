-- What the workers of Citus know of the tables that they keep, and of their indexes: sums over the shards.
--
-- Argument: names of tables of the schema lookalike; NULL: all that are distributed.
-- Result: one row a table and one an index, by the name it has here; none of a table that is not distributed, and without
--   Citus none at all. Each node is asked once, whatever the number of tables. Figures as table_facts has them. Of `vacuumed`
--   and `analyzed` the earliest, NULL where a shard never was. `valid` and `graph` hold of every shard. `build` is a build of an index
--   under way, with sums of its counts, and `build_share` how far it is on all shards: one that waits for its turn has none of it,
--   one whose graph is there all. `missing` is how many shards a table has on nodes that did not answer: they add nothing.
-- With the setting lookalike.layout = hash, which tests set, the tables of collections count as distributed, with one shard: here.
-- Rights: the caller's. Called by placement, by the views collection_stats and index_health, and by queries.
CREATE OR REPLACE FUNCTION lookalike.shard_facts(tables text[] DEFAULT NULL)
RETURNS TABLE (
    name text, table_name text, valid boolean, graph boolean, rows bigint, live bigint, dead bigint, deleted bigint, bytes bigint,
    index_bytes bigint, scans bigint, hit bigint, read bigint, vacuumed timestamptz, analyzed timestamptz, build jsonb, build_share double precision,
    buffers bigint, missing integer
)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shards jsonb;
    found jsonb[];
BEGIN
    IF current_setting('lookalike.layout', true) = 'hash' AND to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        SELECT jsonb_object_agg(t.relname, t.relname) INTO shards
        FROM pg_class AS t
        WHERE t.relnamespace = 'lookalike'::regnamespace AND t.relkind = 'r'
            AND t.relname ~ '^(records|thumbnails|originals)_[0-9]+(_v[0-9]+)?$'
            AND (shard_facts.tables IS NULL OR t.relname = ANY (shard_facts.tables));
        found := ARRAY[lookalike.table_facts(coalesce(shards, '{}'))];
    ELSIF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        EXECUTE 'SELECT jsonb_object_agg(t.relname || ''_'' || s.shardid, t.relname)
                 FROM pg_catalog.pg_dist_partition AS p
                 JOIN pg_catalog.pg_dist_shard AS s USING (logicalrelid)
                 JOIN pg_catalog.pg_class AS t ON t.oid = p.logicalrelid
                 WHERE t.relnamespace = ''lookalike''::regnamespace AND ($1 IS NULL OR t.relname = ANY ($1))
                     AND (p.partmethod = ''h'' OR p.partmethod = ''n'' AND p.repmodel <> ''t'' AND p.colocationid > 0)'
            INTO shards USING tables;
        IF shards IS NOT NULL THEN
            EXECUTE 'SELECT array_agg(a.result::jsonb) FROM pg_catalog.run_command_on_all_nodes($1) AS a WHERE a.success'
                INTO found USING format('SELECT lookalike.table_facts(%L)', shards);
        END IF;
    END IF;
    RETURN QUERY
        SELECT w.name, w.name, NULL::boolean, bool_and(f.graph), sum(f.rows)::bigint, sum(f.live)::bigint, sum(f.dead)::bigint,
               sum(f.deleted)::bigint, sum(f.bytes)::bigint, sum(f.index_bytes)::bigint, sum(f.scans)::bigint, sum(f.hit)::bigint, sum(f.read)::bigint,
               CASE WHEN bool_and(f.vacuumed IS NOT NULL) THEN min(f.vacuumed) END,
               CASE WHEN bool_and(f.analyzed IS NOT NULL) THEN min(f.analyzed) END,
               CASE WHEN bool_or(f.build IS NOT NULL) THEN jsonb_build_object(
                   'command', min(f.build ->> 'command'), 'phase', min(f.build ->> 'phase'),
                   'blocks_done', sum((f.build -> 'blocks_done')::bigint), 'blocks_total', sum((f.build -> 'blocks_total')::bigint),
                   'tuples_done', sum((f.build -> 'tuples_done')::bigint), 'tuples_total', sum((f.build -> 'tuples_total')::bigint))
               END,
               CASE WHEN bool_or(f.build IS NOT NULL) THEN avg(CASE WHEN f.build IS NULL THEN f.graph::integer
                   ELSE coalesce((f.build -> 'blocks_done')::double precision / nullif((f.build -> 'blocks_total')::bigint, 0),
                                 (f.build -> 'tuples_done')::double precision / nullif((f.build -> 'tuples_total')::bigint, 0), 0) END)
               END,
               sum(f.buffers)::bigint, (w.shards - count(f.name))::integer
        FROM (SELECT e.value AS name, count(*) AS shards FROM jsonb_each_text(coalesce(shards, '{}')) AS e GROUP BY e.value) AS w
        LEFT JOIN (
            SELECT e.*
            FROM unnest(found) AS a (one),
                jsonb_to_recordset(a.one) AS e (name text, valid boolean, graph boolean, rows bigint, live bigint, dead bigint,
                    deleted bigint, bytes bigint, index_bytes bigint, scans bigint, hit bigint, read bigint, vacuumed timestamptz, analyzed timestamptz,
                    build jsonb, buffers bigint)
            WHERE e.valid IS NULL
        ) AS f USING (name)
        GROUP BY w.name, w.shards
        UNION ALL
        SELECT e.name, e.table_name, bool_and(e.valid), NULL, sum(e.rows)::bigint, NULL, NULL, NULL, sum(e.bytes)::bigint, NULL,
               sum(e.scans)::bigint, sum(e.hit)::bigint, sum(e.read)::bigint, NULL, NULL, NULL, NULL, NULL, NULL
        FROM unnest(found) AS a (one),
            jsonb_to_recordset(a.one) AS e (name text, table_name text, valid boolean, rows bigint, bytes bigint, scans bigint,
                hit bigint, read bigint)
        WHERE e.valid IS NOT NULL
        GROUP BY e.name, e.table_name;
END;
$$;

COMMENT ON FUNCTION lookalike.shard_facts(text[]) IS
    'Internal: what the workers of Citus know of the tables that they keep, as sums over the shards. Caller''s rights.';
