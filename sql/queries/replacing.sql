-- Named queries of loads and inserts that bring stored records up to date. The span `incoming` is the temporary table
-- that COPY fills, or the query `loads.given`.

-- name: lock
-- Locks those of these records that are stored, in the order of their ids.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
ORDER BY r.id
FOR NO KEY UPDATE;

-- name: compare
-- Says of the incoming records that are stored whether the vector is the stored one, and what the stored picture is
-- known by.
SELECT r.id, r.embedding = i.embedding AS same_vector, r.digest, o.box
FROM /*incoming*/ lookalike.records /*end*/ AS i
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = i.id
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE i.id = ANY (:ids);

-- name: replace
-- Puts incoming records, whose pictures are others, in the place of stored ones.
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET attributes = i.attributes, embedding = i.embedding, digest = i.digest, updated_at = now()
FROM /*incoming*/ lookalike.records /*end*/ AS i
WHERE i.id = r.id AND r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: contents
-- The digests of the pictures of these records, and the part of each that is the record's.
SELECT r.id, r.digest, o.box
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: known
-- What was made of the pictures of these records, where the picture is known, and the part of each that is the record's.
SELECT r.id, r.digest, o.box, r.embedding, t.webp
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
LEFT JOIN /*thumbnails*/ lookalike.thumbnails /*end*/ AS t ON t.collection_id = r.collection_id AND t.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.digest IS NOT NULL;

-- name: outcome
-- Says of records, whose pictures stay, whether other attributes would change them, and whether these would be too long
-- with what was made of the picture (`made`), which is kept where the new attributes have none of it.
SELECT r.id, whole.attributes <> r.attributes AS changed,
       whole.attributes <> new.attributes AND octet_length(whole.attributes::text) > :most AS too_long
FROM unnest(:ids::text[], :attributes::jsonb[]) AS new (id, attributes)
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = new.id
CROSS JOIN LATERAL (SELECT lookalike.pick(r.attributes, :made::text[]) || new.attributes) AS whole (attributes);

-- name: refresh
-- Gives records, whose pictures stay, other attributes, and keeps what was made of the pictures where these have none of
-- it; takes down the digests of pictures that were not known.
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET attributes = lookalike.pick(r.attributes, :made::text[]) || new.attributes,
    digest = coalesce(r.digest, new.digest),
    updated_at = CASE WHEN r.id = ANY (:changed) THEN new.moment ELSE r.updated_at END
FROM (
    SELECT given.id, given.attributes, given.digest, now() AS moment
    FROM unnest(:ids::text[], :attributes::jsonb[], :digests::bytea[]) AS given (id, attributes, digest)
    OFFSET 0
) AS new
WHERE r.collection_id = :collection_id AND r.id = new.id AND r.id = ANY (:ids::text[]);

-- name: missing
-- Ids of records that were there before a moment, in their order, after an id.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id > :after AND r.created_at < :moment
ORDER BY r.collection_id, r.id
LIMIT /*limit*/ 1000 /*end*/;

-- name: delete_missing
-- Deletes those of these records that were there before a moment, locked in the order of their ids, and returns them: one
-- that came in place of such a record since stays.
WITH doomed AS (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.created_at < :moment
    ORDER BY r.id
    FOR UPDATE
)
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
USING doomed
WHERE r.collection_id = :collection_id AND r.id = doomed.id
RETURNING r.id;

-- name: moment
-- This moment, by the database's clock.
SELECT clock_timestamp() AS moment;
