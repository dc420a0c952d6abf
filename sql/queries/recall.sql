-- Named queries on the measured recall of indexes.

-- name: due
-- Whether the recall of an index should be measured: it was not since its build, or a tenth of the records was written
-- since. A counter below what was noted was reset since (a crash resets it) and counts from 0. `rows` is NULL where the
-- index is not there; `target` is what the stored efforts reach.
SELECT i.reltuples::bigint AS rows, now.writes, pg_catalog.pg_relation_filenode(i.oid)::bigint AS build, m.target,
       m.build IS DISTINCT FROM pg_catalog.pg_relation_filenode(i.oid)::bigint
       OR now.writes - CASE WHEN now.writes >= m.writes THEN m.writes ELSE 0 END >= greatest(m.rows, 1) / 10.0 AS due
FROM (SELECT pg_catalog.to_regclass('lookalike.' || :index_name) AS index_id) AS named
LEFT JOIN pg_catalog.pg_class AS i ON i.oid = named.index_id
LEFT JOIN lookalike.index_recall AS m ON m.index_name = :index_name
CROSS JOIN LATERAL (
    SELECT coalesce(pg_catalog.pg_stat_get_tuples_inserted(t.id) + pg_catalog.pg_stat_get_tuples_updated(t.id)
                    + pg_catalog.pg_stat_get_tuples_deleted(t.id), 0) AS writes
    FROM (SELECT pg_catalog.to_regclass(:records_table::text) AS id) AS t
) AS now;

-- name: claim
-- Notes that this server measures an index now; no row where another one does, and has for less than so many seconds.
INSERT INTO lookalike.index_recall AS m (index_name, collection_id, generation, claimed_at)
SELECT :index_name, c.id, :generation, now() FROM lookalike.collections AS c WHERE c.id = :collection_id
ON CONFLICT ON CONSTRAINT index_recall_pkey DO UPDATE SET claimed_at = now()
WHERE m.claimed_at IS NULL OR m.claimed_at < now() - make_interval(secs => :seconds)
RETURNING m.index_name;

-- name: release
-- Notes that nobody measures an index now.
UPDATE lookalike.index_recall AS m SET claimed_at = NULL WHERE m.index_name = :index_name;

-- name: store
-- Stores what was measured of an index, in place of what was measured before.
UPDATE lookalike.index_recall AS m
SET build = :build, target = :target, effort = :effort, effort_deep = :effort_deep, effort_matches = :effort_matches,
    recall_10 = :recall_10, recall_100 = :recall_100, queries = :queries, rows = :rows, writes = :writes,
    seconds = :seconds, curves = :curves, measured_at = now(), claimed_at = NULL
WHERE m.index_name = :index_name;

-- name: retarget
-- Stores the efforts of another target, which the measured curves give.
UPDATE lookalike.index_recall AS m
SET target = :target, effort = :effort, effort_deep = :effort_deep, effort_matches = :effort_matches,
    recall_10 = :recall_10, recall_100 = :recall_100
WHERE m.index_name = :index_name;

-- name: forget
-- Forgets what was measured of indexes that are gone.
DELETE FROM lookalike.index_recall AS m
WHERE m.collection_id = :collection_id AND pg_catalog.to_regclass('lookalike.' || m.index_name) IS NULL;

-- name: listed
-- What was measured of the recall of indexes, the lowest first.
SELECT s.collection, s.condition, s.recall_target, s.effort, s.recall_10, s.recall_100, s.queries, s.rows, s.seconds,
       s.measured_at, s.current
FROM lookalike.search_recall AS s WHERE s.measured_at IS NOT NULL ORDER BY s.recall_10, s.collection LIMIT :most;
