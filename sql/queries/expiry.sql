-- Named queries on records that have expired. The span `records` is the collection's table, with all of them.

-- name: unexpired
-- The records that have not expired, with their places: what stands in the span `records` of all queries that read, where
-- a record of the collection ever had an _expires_at.
SELECT t.ctid, t.* FROM /*records*/ lookalike.records /*end*/ AS t WHERE t.expires_at IS NULL OR t.expires_at > now();

-- name: delete
-- Deletes some records that have expired, passing over those that somebody else holds, and returns how many there were.
WITH doomed AS (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.expires_at <= now()
    LIMIT /*limit*/ 500 /*end*/
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM /*records*/ lookalike.records /*end*/ AS r
    USING doomed
    WHERE r.collection_id = :collection_id AND r.id = doomed.id
    RETURNING r.id
)
SELECT count(*) AS deleted FROM gone;

-- name: make_room
-- Deletes those of these records that have expired, locked in the order of their ids: their ids are free.
WITH doomed AS (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.expires_at <= now()
    ORDER BY r.id
    FOR UPDATE
)
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
USING doomed
WHERE r.collection_id = :collection_id AND r.id = doomed.id;

-- name: indexed
-- Whether the expired records of a table are found by an index; one that an interrupted build left finds nothing.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_index AS i WHERE i.indexrelid = pg_catalog.to_regclass(:index) AND i.indisvalid
) AS indexed;
