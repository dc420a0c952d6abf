-- Named queries of a change of a collection's model. The span `records` is the table in use, `next` the one that gets the
-- new vectors.

-- name: begin
-- Makes the next table and has changes noted; returns its generation.
SELECT lookalike.begin_reembedding(:id, :model, :model_revision, :dimensions, :distance_scale) AS generation;

-- name: finish
-- Puts the new vectors in the place of the old ones.
SELECT lookalike.finish_reembedding(:id) AS generation;

-- name: abandon
-- Gives up the new vectors and says whether there were any.
SELECT lookalike.abandon_reembedding(:id) AS abandoned;

-- name: find
-- The change that is under way in a collection.
SELECT e.model, e.model_revision, e.dimensions, e.distance_scale, e.generation
FROM lookalike.reembeddings AS e
WHERE e.collection_id = :id;

-- name: missing
-- Records that have neither a new vector nor a note that their picture could not be read, in the order of their ids,
-- after an id, and where their pictures are. Each table is read from that id on, so that a page costs the same anywhere.
SELECT r.id, r.attributes -> '_url' AS url, r.attributes -> '_file' AS file, o.box, o.picture IS NOT NULL AS kept
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o
    ON o.collection_id = r.collection_id AND o.id = r.id AND o.id > :after
WHERE r.collection_id = :collection_id AND r.id > :after
    AND NOT EXISTS (
        SELECT FROM /*next*/ lookalike.records /*end*/ AS n
        WHERE n.collection_id = r.collection_id AND n.id = r.id AND n.id > :after)
    AND NOT EXISTS (
        SELECT FROM lookalike.reembedding_failures AS f
        WHERE f.collection_id = r.collection_id AND f.id = r.id AND f.id > :after)
ORDER BY r.collection_id, r.id
LIMIT /*limit*/ 500 /*end*/;

-- name: sources
-- Where the pictures of these records are.
SELECT r.id, r.attributes -> '_url' AS url, r.attributes -> '_file' AS file, o.box, o.picture IS NOT NULL AS kept
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
ORDER BY r.collection_id, r.id;

-- name: store
-- Stores new vectors of the records that are still there, with their attributes as they are now.
INSERT INTO /*next*/ lookalike.records /*end*/ AS n 
    (collection_id, id, attributes, embedding, digest, created_at, updated_at, expires_at)
SELECT r.collection_id, r.id, r.attributes, new.embedding, r.digest, r.created_at, r.updated_at, r.expires_at
FROM unnest(:ids::text[], :embeddings::halfvec[]) AS new (id, embedding)
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = new.id
ORDER BY r.id
ON CONFLICT (collection_id, id) DO UPDATE
SET attributes = excluded.attributes, embedding = excluded.embedding, digest = excluded.digest,
    created_at = excluded.created_at, updated_at = excluded.updated_at, expires_at = excluded.expires_at;

-- name: store_failures
-- Notes of records that are still there why their pictures could not be read.
INSERT INTO lookalike.reembedding_failures (collection_id, id, reason)
SELECT r.collection_id, r.id, new.reason
FROM unnest(:ids::text[], :reasons::text[]) AS new (id, reason)
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = new.id
ON CONFLICT (collection_id, id) DO UPDATE SET reason = excluded.reason;

-- name: forget_failures
-- Forgets that the pictures of these records could not be read.
DELETE FROM lookalike.reembedding_failures WHERE collection_id = :collection_id AND id = ANY (:ids);

-- name: forget_all_failures
-- Forgets every record whose picture could not be read, so that all of them are tried once more.
DELETE FROM lookalike.reembedding_failures WHERE collection_id = :collection_id;

-- name: changes
-- What was written to the table in use since the change began and is to be done yet.
SELECT c.id, c.sequence, c.new_picture
FROM lookalike.reembedding_changes AS c
WHERE c.collection_id = :collection_id
ORDER BY c.collection_id, c.id, c.sequence
LIMIT /*limit*/ 500 /*end*/;

-- name: take_over
-- Gives the new vectors of these records the attributes that the records have now.
UPDATE /*next*/ lookalike.records /*end*/ AS n
SET attributes = r.attributes, digest = r.digest, created_at = r.created_at, updated_at = r.updated_at,
    expires_at = r.expires_at
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE n.collection_id = :collection_id AND n.id = ANY (:ids)
    AND r.collection_id = n.collection_id AND r.id = n.id;

-- name: remove
-- Removes new vectors, by id.
DELETE FROM /*next*/ lookalike.records /*end*/ AS n WHERE n.collection_id = :collection_id AND n.id = ANY (:ids);

-- name: done
-- Removes the notes of changes that were seen to.
DELETE FROM lookalike.reembedding_changes AS c
USING unnest(:ids::text[], :sequences::bigint[]) AS seen (id, sequence)
WHERE c.collection_id = :collection_id AND c.id = seen.id AND c.sequence = seen.sequence;

-- name: failures
-- Records whose pictures could not be read, and why, in the order of their ids.
SELECT f.id, f.reason FROM lookalike.reembedding_failures AS f
WHERE f.collection_id = :collection_id
ORDER BY f.id
LIMIT /*limit*/ ALL /*end*/;

-- name: count_failures
-- The number of records whose pictures could not be read.
SELECT count(*) AS failures FROM lookalike.reembedding_failures AS f WHERE f.collection_id = :collection_id;

-- name: drop_unreadable
-- Deletes the records whose pictures could not be read, and returns how many there were.
WITH gone AS (
    DELETE FROM /*records*/ lookalike.records /*end*/ AS r
    USING lookalike.reembedding_failures AS f
    WHERE f.collection_id = :collection_id AND r.collection_id = f.collection_id AND r.id = f.id
    RETURNING r.id
)
SELECT count(*) AS dropped FROM gone;
