-- Named queries on the records of one collection. The span `records` is the collection's partition: naming it costs
-- less than pruning from the parent (one partition planned, whatever the number of collections).

-- name: existing
-- Which of these ids are stored.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: files
-- The `_file` of those of these records that have one.
SELECT r.id, r.attributes ->> '_file' AS file FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND r.attributes ? '_file';

-- name: insert
-- Stores new records in the order of their ids (so that two batches cannot deadlock; the byte order, as everywhere) and
-- returns the stored ids; an id that is taken is passed over.
INSERT INTO /*records*/ lookalike.records /*end*/ AS r (collection_id, id, attributes, embedding, digest)
SELECT :collection_id, new.id, new.attributes, new.embedding::halfvec, new.digest
FROM unnest(:ids::text[], :attributes::jsonb[], :embeddings::text[], :digests::bytea[])
    AS new (id, attributes, embedding, digest)
ORDER BY new.id COLLATE "C"
ON CONFLICT (collection_id, id) DO NOTHING
RETURNING r.id;

-- name: insert_thumbnails
-- Stores the thumbnails of records.
INSERT INTO /*thumbnails*/ lookalike.thumbnails /*end*/ (collection_id, id, webp)
SELECT :collection_id, new.id, new.webp FROM unnest(:ids::text[], :webps::bytea[]) AS new (id, webp)
ON CONFLICT (collection_id, id) DO UPDATE SET webp = excluded.webp;

-- name: insert_originals
-- Keeps the pictures of records as they came, where they are kept, and the part of each that is the record's.
INSERT INTO /*originals*/ lookalike.originals /*end*/ (collection_id, id, picture, box)
SELECT :collection_id, new.id, new.picture,
       CASE WHEN new.box IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(new.box)::integer) END
FROM unnest(:ids::text[], :pictures::bytea[], :boxes::jsonb[]) AS new (id, picture, box)
ON CONFLICT (collection_id, id) DO UPDATE SET picture = excluded.picture, box = excluded.box;

-- name: original
-- The picture of one record as it came, where it is kept.
SELECT o.picture FROM /*originals*/ lookalike.originals /*end*/ AS o
WHERE o.collection_id = :collection_id AND o.id = :id;

-- name: thumbnail
-- The thumbnail of one record.
SELECT t.webp FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t
WHERE t.collection_id = :collection_id AND t.id = :id;

-- name: thumbnails
-- The thumbnails of some records.
SELECT t.id, t.webp FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t
WHERE t.collection_id = :collection_id AND t.id = ANY (:ids);

-- name: thumbnail_versions
-- The SHA-256 of the thumbnails of some records, 32 hexadecimal digits of it.
SELECT r.id, left(encode(sha256(t.webp), 'hex'), 32) AS version
FROM /*records*/ lookalike.records /*end*/ AS r
JOIN /*thumbnails*/ lookalike.thumbnails /*end*/ AS t ON t.collection_id = r.collection_id AND t.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: thumbnail_of
-- The thumbnail of a record with its version, NULL where it has none; no row where there is no such record.
SELECT t.webp, left(encode(sha256(t.webp), 'hex'), 32) AS version
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*thumbnails*/ lookalike.thumbnails /*end*/ AS t ON t.collection_id = r.collection_id AND t.id = r.id
WHERE r.collection_id = :collection_id AND r.id = :id;

-- name: original_of
-- The picture of a record as it came, NULL where it is not kept; no row where there is no such record.
SELECT o.picture FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE r.collection_id = :collection_id AND r.id = :id;

-- name: get
-- Records by id; the span `fields` says what of the attributes is returned, as text.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: delete
-- Deletes records by id, locked in the order of their ids, and returns those that were there.
WITH doomed AS (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) AND /*live*/ TRUE /*end*/
    ORDER BY r.id
    FOR UPDATE
)
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
USING doomed
WHERE r.collection_id = :collection_id AND r.id = doomed.id
RETURNING r.id;

-- name: lock
-- Locks records for an update, in the order of their ids, and returns what names their pictures and how many bytes the
-- attributes have as text.
SELECT r.id, r.attributes -> '_url' AS url, r.attributes -> '_file' AS file, octet_length(r.attributes::text) AS bytes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
ORDER BY r.id
FOR NO KEY UPDATE;

-- name: update
-- Merges a patch into each record's attributes, removes the fields that the patch names as null, and returns the
-- record as it is then.
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET attributes = (r.attributes || patch.values) - ARRAY(SELECT jsonb_array_elements_text(patch.removed)),
    updated_at = now()
FROM unnest(:ids::text[], :values::jsonb[], :removed::jsonb[]) AS patch (id, values, removed)
WHERE r.collection_id = :collection_id AND r.id = patch.id AND r.id = ANY (:ids::text[])
RETURNING r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes;

-- name: count
-- The number of records of a collection, exactly.
SELECT count(*) AS records FROM /*records*/ lookalike.records /*end*/ AS r;

-- name: more_than
-- Whether a collection holds more than so many records; reads no more than that. The number may be the largest that there is,
-- to which nothing can be added.
SELECT count(*) > :rows AS more
FROM (SELECT 1 AS one FROM /*records*/ lookalike.records /*end*/ LIMIT least(:rows::bigint, 9223372036854775806) + 1) AS bounded;

-- name: first_id
-- The first id of a collection, in the order of the primary key.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r ORDER BY r.collection_id, r.id LIMIT 1;
