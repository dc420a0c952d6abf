-- Named queries that list the records of one collection: find, random, allRecords, deleteByFilter.

-- name: find
-- Records that match a filter, in no particular order: the first that the scan comes to.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/
LIMIT /*limit*/ 10 /*end*/;

-- name: random_exact
-- A uniform sample of the matching records, by giving each a random number: reads them all.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY random()
    LIMIT /*limit*/ 1 /*end*/
) AS r;

-- name: random_probe
-- The matching records at random places (page, line) of the table. Every visible row has one place, and every place is as
-- likely as any other, so the rows that are hit are a uniform sample, whatever the table's size; places without a
-- visible row are passed over. `lines` is the number of lines a page may have.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.ctid = ANY (ARRAY(
        SELECT format('(%s,%s)', floor(random() * :pages)::bigint, 1 + floor(random() * :lines)::integer)::tid
        FROM generate_series(1, :probes)))
    AND /*filter*/ TRUE /*end*/;

-- name: pages
-- The number of pages that the table takes now.
SELECT pg_catalog.pg_relation_size(:table::regclass) / current_setting('block_size')::bigint AS pages;

-- name: page_after
-- A page of records in the order of their ids, after an id.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id > :after AND /*filter*/ TRUE /*end*/
ORDER BY r.collection_id, r.id
LIMIT /*limit*/ 1000 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: page_before
-- A page of records before an id, nearest to it first.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id < :before AND /*filter*/ TRUE /*end*/
ORDER BY r.collection_id DESC, r.id DESC
LIMIT /*limit*/ 1000 /*end*/;

-- name: stream
-- Every matching record, in the order of the ids, for a cursor.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/
ORDER BY r.collection_id, r.id;

-- name: stream_vectors
-- The vector of every matching record, in the order of the ids, for a cursor.
SELECT r.id, r.embedding
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/
ORDER BY r.collection_id, r.id;

-- name: delete
-- Deletes every record that matches a filter, locked in the order of their ids, and returns them as they were.
WITH doomed AS (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/ AND /*live*/ TRUE /*end*/
    ORDER BY r.id
    FOR UPDATE
)
DELETE FROM /*records*/ lookalike.records /*end*/ AS r
USING doomed
WHERE r.collection_id = :collection_id AND r.id = doomed.id
RETURNING r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes;
