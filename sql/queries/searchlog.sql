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

-- name: filters
-- The filters of a collection's logged searches, those that took the longest together first: how often each was searched
-- with, which way its searches were done, and how long they took in all.
SELECT l.filter::text AS filter, l.way, count(*) AS searches, sum(l.milliseconds)::double precision AS milliseconds
FROM lookalike.search_log AS l
WHERE l.collection_id = :id AND l.way IS NOT NULL AND jsonb_typeof(l.filter) = 'object' AND l.filter <> '{}'
GROUP BY l.filter, l.way
ORDER BY milliseconds DESC
LIMIT :most;

-- name: filtered
-- The collections with at least so many logged searches with a filter, by name.
SELECT c.name
FROM lookalike.collections AS c
INNER JOIN lookalike.search_log AS l ON c.id = l.collection_id
WHERE l.way IS NOT NULL AND jsonb_typeof(l.filter) = 'object' AND l.filter <> '{}'
GROUP BY c.name
HAVING count(*) >= :least
ORDER BY c.name;

-- name: slowest
-- The slowest of the logged searches, with their collection and filter.
SELECT l.at, c.name AS collection, l.method, l.way, l.k, l.results, l.milliseconds, l.filter::text AS filter
FROM lookalike.search_log AS l
LEFT JOIN lookalike.collections AS c ON c.id = l.collection_id
ORDER BY l.milliseconds DESC, l.id LIMIT :most;
