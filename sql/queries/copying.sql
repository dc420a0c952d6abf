-- Named queries of a copy of a collection, all of one transaction whose snapshot is the moment that is copied. Rows are
-- read in the order of the table, so many blocks at a time.

-- name: begin
-- Makes the row and the tables of the copy; returns its id.
SELECT lookalike.begin_copy(:id, :name, :job_id) AS id;

-- name: made
-- Whether a collection is the copy that a job made.
SELECT EXISTS (
    SELECT FROM lookalike.collections AS c WHERE c.name = :name AND (c.settings ->> 'copied_by')::bigint = :job_id
) AS made;

-- name: blocks
-- The number of blocks of a table; rows that the snapshot has lie in these.
SELECT pg_catalog.pg_relation_size(:name::regclass) / current_setting('block_size')::bigint AS blocks;

-- name: records
-- Copies the records of some blocks that have not expired; returns their number.
WITH copied AS (
    INSERT INTO /*next*/ lookalike.records /*end*/ AS n
        (collection_id, id, attributes, embedding, digest, created_at, updated_at, expires_at)
    SELECT :new_id, r.id, r.attributes, r.embedding, r.digest, r.created_at, r.updated_at, r.expires_at
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.ctid >= :first::text::tid AND r.ctid < :behind::text::tid AND (r.expires_at IS NULL OR r.expires_at > now())
    RETURNING 1
)
SELECT count(*) AS copied FROM copied;

-- name: thumbnails
-- Copies the thumbnails of some blocks whose records were copied; returns their number.
WITH copied AS (
    INSERT INTO /*next_thumbnails*/ lookalike.thumbnails /*end*/ AS n (collection_id, id, webp)
    SELECT :new_id, t.id, t.webp
    FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t
    WHERE t.ctid >= :first::text::tid AND t.ctid < :behind::text::tid
        AND EXISTS (SELECT FROM /*next*/ lookalike.records /*end*/ AS r WHERE r.collection_id = :new_id AND r.id = t.id)
    RETURNING 1
)
SELECT count(*) AS copied FROM copied;

-- name: originals
-- Copies the kept pictures of some blocks whose records were copied; returns their number.
WITH copied AS (
    INSERT INTO /*next_originals*/ lookalike.originals /*end*/ AS n (collection_id, id, picture, box)
    SELECT :new_id, o.id, o.picture, o.box
    FROM /*originals*/ lookalike.originals /*end*/ AS o
    WHERE o.ctid >= :first::text::tid AND o.ctid < :behind::text::tid
        AND EXISTS (SELECT FROM /*next*/ lookalike.records /*end*/ AS r WHERE r.collection_id = :new_id AND r.id = o.id)
    RETURNING 1
)
SELECT count(*) AS copied FROM copied;

-- name: attach
-- Makes the tables partitions, with their indexes, keys and view.
SELECT lookalike.attach_collection(:new_id);
