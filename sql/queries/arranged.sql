-- Searches whose answer is in another order than that of the distance, or continues after a record: sources (search.sql,
-- tags.sql, or `matching`) in three more shapes. All of them read `keyed`: the records of a source with what they are put
-- in order by. Every record of the source is read, so the order is exact.

-- name: matching
-- Source: every match of a filter, without a distance, where nothing is looked for.
SELECT r.id, r.attributes, NULL::double precision AS distance
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/;

-- name: keyed
-- The records of a source within the cutoff, with their keys: columns that `sort_keys` and the span `keys` make, and the
-- distance as the boosts leave it. The filters of the boosts go by the alias r.
SELECT r.id, r.attributes, r.distance, /*boosted*/ r.distance /*end*/ AS boosted, /*keys*/ r.id AS k0 /*end*/
FROM (
    /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
) AS r
/*laterals*/ CROSS JOIN LATERAL (SELECT 1 AS rank) AS s0 /*end*/
WHERE /*within*/ TRUE /*end*/;

-- name: sort_keys
-- What a field sorts a record by: the rank of its type, its number, its text. Numbers come first, then strings by their
-- bytes, booleans, objects and lists within lists by their JSON text. A list of values sorts by the one that comes first in
-- the direction asked for. Without a value (no field, null, an empty list) all are NULL, and the record comes last. `amount` is
-- the number for arithmetic, brought between 1e-300 and 1e300: of double precision, others would end the statement.
SELECT CASE jsonb_typeof(v.value) WHEN 'number' THEN 1 WHEN 'string' THEN 2 WHEN 'boolean' THEN 3 WHEN 'object' THEN 4
       WHEN 'array' THEN 5 END AS rank,
       CASE jsonb_typeof(v.value) WHEN 'number' THEN v.value::numeric END AS number,
       CASE jsonb_typeof(v.value) WHEN 'number' THEN NULL WHEN 'string' THEN v.value #>> '{}' ELSE v.value::text END
           COLLATE "C" AS text,
       CASE WHEN jsonb_typeof(v.value) = 'number' THEN
           CASE WHEN abs(v.value::numeric) < 1e-300 THEN 0.0
           ELSE least(greatest(v.value::numeric, -1e300), 1e300)::double precision END END AS amount
FROM (
    SELECT CASE WHEN jsonb_typeof(f.value) <> 'array' THEN nullif(f.value, 'null') ELSE (
        SELECT e.value
        FROM jsonb_array_elements(f.value) AS e
        WHERE e.value <> 'null'::jsonb
        ORDER BY CASE jsonb_typeof(e.value) WHEN 'number' THEN 1 WHEN 'string' THEN 2 WHEN 'boolean' THEN 3
                 WHEN 'object' THEN 4 ELSE 5 END /*direction*/ ASC /*end*/,
                 CASE jsonb_typeof(e.value) WHEN 'number' THEN e.value::numeric END /*direction*/ ASC /*end*/,
                 (CASE jsonb_typeof(e.value) WHEN 'string' THEN e.value #>> '{}' ELSE e.value::text END)
                     COLLATE "C" /*direction*/ ASC /*end*/
        LIMIT 1
    ) END AS value
    FROM (SELECT /*field*/ '1'::jsonb /*end*/ AS value) AS f
) AS v;

-- name: page
-- Shape: a page in the order of the keys, with the keys of each record. The span `after` leaves out what came on earlier
-- pages.
SELECT q.id, q.distance, (/*picked*/ q.attributes /*end*/)::text AS attributes, q.boosted, q.keys::text AS keys
FROM (
    SELECT q.id, q.distance, q.attributes, q.boosted, jsonb_build_array(/*columns*/ q.k0 /*end*/) AS keys
    FROM (
        /*keyed*/ SELECT r.id, r.attributes, 0.0 AS distance, 0.0 AS boosted, r.id AS k0 FROM lookalike.records AS r /*end*/
    ) AS q
    WHERE /*after*/ TRUE /*end*/
    ORDER BY /*order*/ q.k0 /*end*/
    LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/
) AS q;

-- name: products
-- Shape: as `page`, of the first record of each product. A record without the product field (or with null in it) is a
-- product of its own.
SELECT q.id, q.distance, (/*picked*/ q.attributes /*end*/)::text AS attributes, q.boosted, q.keys::text AS keys
FROM (
    SELECT q.id, q.distance, q.attributes, q.boosted, jsonb_build_array(/*columns*/ q.k0 /*end*/) AS keys
    FROM (
        SELECT DISTINCT ON (q.product, q.alone) q.*
        FROM (
            SELECT q.*, nullif(q.attributes -> :product_field, 'null') AS product,
                   CASE WHEN nullif(q.attributes -> :product_field, 'null') IS NULL THEN q.id END AS alone
            FROM (
                /*keyed*/ SELECT r.id, r.attributes, 0.0 AS distance, 0.0 AS boosted, r.id AS k0
                FROM lookalike.records AS r /*end*/
            ) AS q
        ) AS q
        ORDER BY q.product, q.alone, /*order*/ q.k0 /*end*/
    ) AS q
    WHERE /*after*/ TRUE /*end*/
    ORDER BY /*order*/ q.k0 /*end*/
    LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/
) AS q;

-- name: members
-- Shape: the first records of each of some products, in the order of the keys, and the number of all of each; `place` is
-- that of the product among those asked for, from 1. The join is hashed: with many products a search in a list would take
-- longer for each record, the more there are.
SELECT q.place, q.records, q.id, q.distance, (/*picked*/ q.attributes /*end*/)::text AS attributes
FROM (
    SELECT q.id, q.distance, q.attributes, p.place,
           count(*) OVER (PARTITION BY p.place) AS records,
           row_number() OVER (PARTITION BY p.place ORDER BY /*order*/ q.k0 /*end*/) AS rank
    FROM (
        /*keyed*/ SELECT r.id, r.attributes, 0.0 AS distance, 0.0 AS boosted, r.id AS k0 FROM lookalike.records AS r /*end*/
    ) AS q
    JOIN unnest(:products::jsonb[]) WITH ORDINALITY AS p (product, place) ON p.product = q.attributes -> :product_field
) AS q
WHERE q.rank <= /*size*/ 3 /*end*/
ORDER BY q.place, q.rank;

-- name: within_radius
-- The records of a source that lie within the radius: a cutoff as a condition for whatever else reads the records.
SELECT s.id
FROM (
    /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
) AS s
WHERE s.distance <= :radius;

-- name: count_within
-- How many records of a source lie within the radius.
SELECT count(*) AS matches
FROM (
    /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
) AS s
WHERE s.distance <= :radius;
