-- Statements for a collection that Citus keeps in several tables (`lookalike db distribute`), in place of those that it cannot
-- spread over them: it locks no rows of several tables, knows no places (ctid) of rows in them, sends no set_config to
-- workers, and pushes no LIMIT down that stands in a subquery. All of them run on one table as well: tests/db/test_spread.py.

-- name: nearest
-- The records that the index of each table offers, nearest first: the shape `candidates` over the source `walk`, in one.
-- The effort is set by at_effort, on each worker, and each gives as many records as are wanted.
SELECT walked.id,
       :scale * (walked.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance,
       (/*fields*/ walked.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS walked
WHERE /*part*/ TRUE /*end*/
ORDER BY walked.embedding::/*vector*/halfvec(256)/*end*/
         <=> lookalike.at_effort(:query::/*vector*/halfvec(256)/*end*/, :effort, :visits)
LIMIT /*candidates*/ 30 /*end*/;

-- name: search_walk
-- Source: as `walk` of search.sql. The nearest of all tables, as many as the budget has, are brought together here, each with
-- its attributes only where it matches; so no record nearer than the last of them was passed over.
SELECT nearest.id, nearest.attributes, nearest.embedding, :scale * nearest.distance AS distance
FROM (
    SELECT r.id, CASE WHEN /*filter*/ TRUE /*end*/ THEN r.attributes END AS attributes, r.embedding,
           r.embedding::/*vector*/halfvec(256)/*end*/
           <=> lookalike.at_effort(:query::/*vector*/halfvec(256)/*end*/, :effort, :visits) AS distance
    FROM (SELECT walked.* FROM /*records*/ lookalike.records /*end*/ AS walked WHERE /*part*/ TRUE /*end*/) AS r
    ORDER BY distance
    LIMIT /*budget*/ 500 /*end*/
) AS nearest
WHERE nearest.attributes IS NOT NULL
ORDER BY nearest.distance
LIMIT /*candidates*/ 30 /*end*/;

-- name: records_delete
-- Deletes records by id and returns those that were there.
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND /*live*/ TRUE /*end*/
RETURNING r.id;

-- name: listing_delete
-- Deletes every record that matches a filter and returns them as they were.
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/ AND /*live*/ TRUE /*end*/
RETURNING r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes;

-- name: lock
-- Locks one record for an update; otherwise as `lock` of records.sql. Called in the order of the ids.
SELECT r.id, r.attributes -> '_url' AS url, r.attributes -> '_file' AS file, octet_length(r.attributes::text) AS bytes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = :id
FOR NO KEY UPDATE;

-- name: expired
-- Some records that have expired.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r WHERE r.expires_at <= now() LIMIT /*limit*/ 500 /*end*/;

-- name: expiry_make_room
-- Deletes those of these records that have expired, and returns them: their ids are free.
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.expires_at <= now()
RETURNING r.id;

-- name: replacing_delete_missing
-- Deletes those of these records that were there before a moment, and returns them: one that came in place of such a record
-- since stays.
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.created_at < :moment
RETURNING r.id;
