-- Named queries of bulk loads: from the temporary table `incoming`, which COPY fills, into one collection. The span
-- `incoming` is that table.

-- name: insert
-- Stores some of the incoming records in the order of their ids and returns the ids that were not taken.
INSERT INTO /*records*/ lookalike.records /*end*/ (collection_id, id, attributes, embedding, digest)
SELECT :collection_id, i.id, i.attributes, i.embedding, i.digest
FROM /*incoming*/ lookalike.records /*end*/ AS i
WHERE i.id = ANY (:ids)
ORDER BY i.id COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING id;

-- name: compare
-- Locks those of the incoming records that are stored, in the order of their ids, and says what of them is as it comes.
SELECT r.id, r.embedding = i.embedding AS same_picture, r.attributes = i.attributes AS same_attributes
FROM /*records*/ lookalike.records /*end*/ AS r
JOIN /*incoming*/ lookalike.records /*end*/ AS i ON i.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
ORDER BY r.id
FOR NO KEY UPDATE OF r;

-- name: replace
-- Puts incoming records in the place of stored ones; a row that is already as it comes is not written.
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET attributes = i.attributes, embedding = i.embedding, digest = coalesce(i.digest, r.digest),
    updated_at = CASE WHEN r.id = ANY (:changed) THEN now() ELSE r.updated_at END
FROM /*incoming*/ lookalike.records /*end*/ AS i
WHERE i.id = r.id AND r.collection_id = :collection_id AND r.id = ANY (:ids)
    AND (r.id = ANY (:changed) OR r.digest IS DISTINCT FROM coalesce(i.digest, r.digest));

-- name: contents
-- The digests of the pictures of these records, and the part of each that is the record's.
SELECT r.id, r.digest, o.box
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: refresh
-- Gives records the attributes of their lines, and keeps what was made of their pictures where a line has none of it;
-- returns those that were not so already, and how many bytes they have as text.
WITH coming AS (
    SELECT r.id, new.attributes || coalesce(
        (SELECT jsonb_object_agg(made.field, r.attributes->made.field) FROM unnest(:made::text[]) AS made (field)
         WHERE r.attributes ? made.field AND NOT new.attributes ? made.field), '{}') AS attributes
    FROM unnest(:ids::text[], :attributes::jsonb[]) AS new (id, attributes)
    JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = new.id
    ORDER BY r.id
    FOR NO KEY UPDATE OF r
)
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET attributes = c.attributes, updated_at = now()
FROM coming AS c
WHERE r.collection_id = :collection_id AND r.id = c.id AND r.attributes <> c.attributes
    AND octet_length(c.attributes::text) <= :most
RETURNING r.id;

-- name: missing
-- Ids of records that were there before a moment, in their order, after an id.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id > :after AND r.created_at < :moment
ORDER BY r.collection_id, r.id
LIMIT /*limit*/ 1000 /*end*/;

-- name: moment
-- This moment, by the database's clock.
SELECT clock_timestamp() AS moment;
