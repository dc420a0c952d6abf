-- Named queries on figures for metrics: the catalogue and the statistics, no record.

-- name: now
-- Every figure, one a row: which one, of which collection or kind, and its value. The collections with the most records have
-- rows of their own, so many; all others together are "other". Sizes and numbers are sums, recall is the least, and its
-- time the earliest. `index_rows` is from which number of records a collection should have an index. Replicas are those that
-- stream from this server, by their application_name; where this server is one itself, its own lag is that of `self`.
-- Figures of a collection on the workers of Citus are sums over its shards; while one of its workers is away it has none, as they
-- would be too low.
WITH shards AS MATERIALIZED (
    SELECT f.* FROM lookalike.shard_facts() AS f
), kept AS (
    SELECT s.table_name, s.bytes + s.index_bytes AS bytes, s.missing = 0 AS is_whole
    FROM shards AS s WHERE s.name = s.table_name
), listed AS (
    SELECT c.id, c.name, c.capacity, t.oid AS table_id,
           lookalike.is_indexed(c.id, c.generation) AS is_indexed,
           lookalike.records_table(c.id, c.generation) || '_hnsw' AS index_name,
           k.table_name IS NOT NULL AS is_kept, r.build_share, r.buffers,
           CASE WHEN k.table_name IS NULL
                THEN coalesce(nullif(pg_catalog.pg_stat_get_live_tuples(t.oid), 0), greatest(t.reltuples, 0)::bigint)
                WHEN k.is_whole THEN coalesce(nullif(r.live, 0), r.rows) END AS records,
           CASE WHEN k.table_name IS NULL
                THEN pg_catalog.pg_total_relation_size(t.oid)
                     + pg_catalog.pg_total_relation_size(pg_catalog.format('lookalike.thumbnails_%s', c.id)::regclass)
                     + pg_catalog.pg_total_relation_size(pg_catalog.format('lookalike.originals_%s', c.id)::regclass)
                WHEN k.is_whole
                THEN (SELECT sum(a.bytes) FROM kept AS a
                      WHERE a.table_name IN (t.relname::text, pg_catalog.format('thumbnails_%s', c.id),
                                             pg_catalog.format('originals_%s', c.id))) END AS bytes,
           CASE WHEN k.table_name IS NULL THEN greatest(x.reltuples, 0)::bigint WHEN k.is_whole THEN g.rows END AS index_rows,
           CASE WHEN k.table_name IS NULL THEN pg_catalog.pg_relation_size(x.oid) WHEN k.is_whole THEN g.bytes END AS index_bytes,
           CASE WHEN k.table_name IS NULL THEN s.idx_blks_hit WHEN k.is_whole THEN g.hit END AS blocks_memory,
           CASE WHEN k.table_name IS NULL THEN s.idx_blks_read WHEN k.is_whole THEN g.read END AS blocks_disk
    FROM lookalike.collections AS c
    JOIN pg_catalog.pg_class AS t
        ON t.oid = pg_catalog.to_regclass('lookalike.' || lookalike.records_table(c.id, c.generation))
    LEFT JOIN pg_catalog.pg_class AS x
        ON x.oid = pg_catalog.to_regclass('lookalike.' || lookalike.records_table(c.id, c.generation) || '_hnsw')
    LEFT JOIN pg_catalog.pg_statio_all_indexes AS s ON s.indexrelid = x.oid
    LEFT JOIN kept AS k ON k.table_name = t.relname::text
    LEFT JOIN shards AS r ON r.name = t.relname::text
    LEFT JOIN shards AS g ON g.name = x.relname::text
), labelled AS (
    SELECT l.*,
           CASE WHEN row_number() OVER (ORDER BY l.records DESC NULLS LAST, l.id) <= :most THEN l.name ELSE 'other' END AS label
    FROM listed AS l
)
SELECT g.gauge, l.label, sum(g.value)::double precision AS value
FROM labelled AS l
CROSS JOIN LATERAL (VALUES
    ('records', l.records::double precision),
    ('capacity', l.capacity::double precision),
    ('bytes', l.bytes::double precision),
    ('index_rows', l.index_rows::double precision),
    ('index_bytes', l.index_bytes::double precision),
    ('index_missing', (l.records >= :index_rows AND NOT l.is_indexed)::integer::double precision),
    ('index_blocks_memory', l.blocks_memory::double precision),
    ('index_blocks_disk', l.blocks_disk::double precision)
) AS g (gauge, value)
WHERE g.value IS NOT NULL
GROUP BY g.gauge, l.label
UNION ALL
SELECT g.gauge, l.label, min(g.value)
FROM labelled AS l
JOIN lookalike.index_recall AS m ON m.index_name = l.index_name AND m.measured_at IS NOT NULL
CROSS JOIN LATERAL (VALUES
    ('recall_10', m.recall_10), ('recall_100', m.recall_100),
    ('recall_at', extract(epoch FROM m.measured_at)::double precision)
) AS g (gauge, value)
WHERE g.value IS NOT NULL
GROUP BY g.gauge, l.label
UNION ALL
SELECT 'build_share', l.label, min(b.share)
FROM labelled AS l
CROSS JOIN LATERAL (
    SELECT l.build_share AS share WHERE l.is_kept
    UNION ALL
    SELECT coalesce(p.blocks_done::double precision / nullif(p.blocks_total, 0),
                    p.tuples_done::double precision / nullif(p.tuples_total, 0), 0)
    FROM pg_catalog.pg_stat_progress_create_index AS p
    WHERE NOT l.is_kept AND p.relid = l.table_id
) AS b
WHERE b.share IS NOT NULL
GROUP BY l.label
UNION ALL
SELECT 'duplicate_pairs', l.label, sum(d.pairs)::double precision
FROM labelled AS l
JOIN lookalike.duplicate_scans AS s ON s.collection_id = l.id
CROSS JOIN LATERAL (
    SELECT count(*) AS pairs
    FROM (SELECT FROM lookalike.duplicate_pairs AS p WHERE p.collection_id = l.id LIMIT 10000) AS few
) AS d
GROUP BY l.label
UNION ALL
SELECT 'jobs', j.kind || ' ' || j.state, count(*)::double precision FROM lookalike.jobs AS j GROUP BY j.kind, j.state
UNION ALL
SELECT 'job_oldest_queued_seconds', NULL,
       coalesce(extract(epoch FROM now() - min(j.created_at)), 0)::double precision
FROM lookalike.jobs AS j WHERE j.state = 'queued'
UNION ALL
SELECT 'job_workers', NULL, count(*)::double precision
FROM lookalike.job_workers AS w WHERE w.seen_at > now() - interval '1 minute'
UNION ALL
SELECT g.gauge, NULL, g.value
FROM (SELECT max(b.begun_at) AS begun_at,
             max(b.verified_at) FILTER (WHERE b.differences = '{}') AS verified_at,
             (array_agg(cardinality(b.differences) ORDER BY b.verified_at DESC NULLS LAST))[1] AS differences,
             (array_agg(b.bytes ORDER BY b.begun_at DESC))[1] AS bytes
      FROM lookalike.backups AS b) AS l
CROSS JOIN LATERAL (VALUES
    ('backup_timestamp_seconds', coalesce(extract(epoch FROM l.begun_at), 0)::double precision),
    ('backup_verified_timestamp_seconds', coalesce(extract(epoch FROM l.verified_at), 0)::double precision),
    ('backup_differences', coalesce(l.differences, 0)::double precision),
    ('backup_bytes', coalesce(l.bytes, 0)::double precision)
) AS g (gauge, value)
UNION ALL
SELECT 'replicas', NULL, count(*)::double precision
FROM pg_catalog.pg_stat_replication AS p WHERE p.replay_lsn IS NOT NULL
UNION ALL
SELECT g.gauge, coalesce(nullif(p.application_name, ''), 'unnamed'), max(g.value)
FROM pg_catalog.pg_stat_replication AS p
CROSS JOIN LATERAL (VALUES
    ('replica_lag_seconds', coalesce(extract(epoch FROM p.replay_lag), 0)::double precision),
    ('replica_lag_bytes',
     CASE WHEN NOT pg_catalog.pg_is_in_recovery()
          THEN greatest(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), p.replay_lsn), 0)::double precision END)
) AS g (gauge, value)
WHERE p.replay_lsn IS NOT NULL AND g.value IS NOT NULL
GROUP BY g.gauge, coalesce(nullif(p.application_name, ''), 'unnamed')
UNION ALL
SELECT 'replica_lag_seconds', 'self',
       CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
            ELSE greatest(extract(epoch FROM now() - coalesce(pg_catalog.pg_last_xact_replay_timestamp(),
                                                              pg_catalog.pg_postmaster_start_time())), 0)
       END::double precision
WHERE pg_catalog.pg_is_in_recovery()
UNION ALL
SELECT 'database_bytes', NULL,
       (pg_catalog.pg_database_size(current_database())
        + coalesce((SELECT sum(k.bytes) FROM kept AS k
                    WHERE pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL), 0))::double precision
UNION ALL
SELECT 'database_connections', NULL, count(*)::double precision
FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_type = 'client backend'
UNION ALL
SELECT 'database_connections_most', NULL, current_setting('max_connections')::double precision
UNION ALL
SELECT 'index_outgrows_memory', NULL,
       (coalesce(sum(l.index_bytes) FILTER (WHERE NOT l.is_kept), 0)
            > pg_catalog.pg_size_bytes(current_setting('shared_buffers'))
        OR coalesce(bool_or(l.index_bytes > l.buffers) FILTER (WHERE l.is_kept), false))::integer::double precision
FROM listed AS l
UNION ALL
SELECT 'shared_buffers_bytes', NULL, pg_catalog.pg_size_bytes(current_setting('shared_buffers'))::double precision;
