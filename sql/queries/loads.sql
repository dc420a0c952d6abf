-- Named queries of loads: from incoming records into one collection. The span `incoming` is the temporary table that
-- COPY fills, or the query `given`.

-- name: given
-- A few incoming records, sent along with the statement.
SELECT new.id, new.attributes, new.embedding::halfvec AS embedding, new.webp, new.original,
       CASE WHEN new.box IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(new.box)::integer) END AS box, new.digest
FROM unnest(:new_ids::text[], :new_attributes::jsonb[], :embeddings::text[], :webps::bytea[], :pictures::bytea[],
            :boxes::jsonb[], :new_digests::bytea[]) AS new (id, attributes, embedding, webp, original, box, digest);

-- name: insert
-- Stores some of the incoming records in the order of their ids and returns the ids that were not taken.
INSERT INTO /*records*/ lookalike.records /*end*/ (collection_id, id, attributes, embedding, digest)
SELECT :collection_id, i.id, i.attributes, i.embedding, i.digest
FROM /*incoming*/ lookalike.records /*end*/ AS i
WHERE i.id = ANY (:ids)
ORDER BY i.id COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING id;

-- name: thumbnails
-- Stores the thumbnails of some of the incoming records.
INSERT INTO /*thumbnails*/ lookalike.thumbnails /*end*/ (collection_id, id, webp)
SELECT :collection_id, i.id, i.webp FROM /*incoming*/ (SELECT ''::text AS id, ''::bytea AS webp) /*end*/ AS i
WHERE i.webp IS NOT NULL AND i.id = ANY (:ids)
ON CONFLICT (collection_id, id) DO UPDATE SET webp = excluded.webp;

-- name: originals
-- Keeps the pictures of some of the incoming records as they came, and the part of each that is the record's.
INSERT INTO /*originals*/ lookalike.originals /*end*/ (collection_id, id, picture, box)
SELECT :collection_id, i.id, i.original, i.box
FROM /*incoming*/ (SELECT ''::text AS id, ''::bytea AS original, '{}'::integer[] AS box) /*end*/ AS i
WHERE (i.original IS NOT NULL OR i.box IS NOT NULL) AND i.id = ANY (:ids)
ON CONFLICT (collection_id, id) DO UPDATE SET picture = excluded.picture, box = excluded.box;

-- name: delete_thumbnails
-- Deletes the thumbnails of records.
DELETE FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t WHERE t.collection_id = :collection_id AND t.id = ANY (:ids);

-- name: delete_originals
-- Deletes the kept pictures and the boxes of records.
DELETE FROM /*originals*/ lookalike.originals /*end*/ AS o WHERE o.collection_id = :collection_id AND o.id = ANY (:ids);
