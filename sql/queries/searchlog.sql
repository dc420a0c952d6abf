-- Named queries on the log of searches, which is written in batches, in the background.

-- name: add
-- Notes a batch of searches, in the order in which they were answered.
INSERT INTO lookalike.search_log
    (at, token_id, collection_id, method, query_id, filter, k, results, milliseconds, way)
SELECT e.at, e.token_id, e.collection_id, e.method, e.query_id, e.filter, e.k, e.results, e.milliseconds, e.way
FROM jsonb_to_recordset(:entries::jsonb) AS e (
    at timestamptz, token_id integer, collection_id integer, method text, query_id text, filter jsonb, k integer,
    results integer, milliseconds double precision, way text);

-- name: trim
-- Forgets all but the latest searches, so many of them.
DELETE FROM lookalike.search_log AS l
WHERE l.id <= (SELECT max(n.id) FROM lookalike.search_log AS n) - :rows;
