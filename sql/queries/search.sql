-- Nearest-neighbour queries on the records of one collection.
--
-- A search is a source and a shape. A source gives records with their distances: those that the index offers (`walk`), or
-- all that match (`compared`). A shape says what is answered of them: `candidates` as they come, the best of them
-- (`page`), one of each product (`products`). The span `source` of a shape is the text of a source.
--
-- The innermost query of `walk` is what the HNSW index serves (`hnsw ((embedding::halfvec(D)) halfvec_cosine_ops)`): an
-- ORDER BY on the indexed expression and a literal LIMIT. Around it stands the same order with the number of rows that are
-- wanted: the rows are read one after the other, no further than they are wanted, and the plan, which depends on the
-- innermost LIMIT alone, is the same for every page. With iterative_scan = relaxed_order the rows come nearly in order;
-- app/search/ladder.py puts them in their exact order.
-- The search effort and the bound of visited records are set for one statement alone: `knobs` is read before the index is,
-- and what it set ends with the transaction.
-- The spans `vector` are `halfvec(D)`; distances are multiplied with the scale of the collection's model.

-- name: walk
-- Source: the nearest matches of a filter among the records that the index finds nearest to a vector: it is walked until
-- enough match, or until the budget of candidates (the innermost LIMIT) is spent. The attributes pass through CASE to be
-- no column of the table: for one the planner tries the filter on 1,000 sampled values, .3 ms a search, and this plan does
-- not depend on what comes of it. The span `part` is the predicate of a partial index to walk through, `point` the vector:
-- a value, or that of a stored record, which then never leaves the database.
SELECT nearest.id, nearest.attributes, nearest.embedding, :scale * nearest.distance AS distance
FROM (
    SELECT set_config('hnsw.ef_search', :effort, true) || set_config('hnsw.max_scan_tuples', :visits, true) AS all_set
) AS knobs
CROSS JOIN LATERAL (
    SELECT r.id, r.attributes, r.embedding, r.distance
    FROM (
        SELECT walked.id, walked.embedding,
               walked.embedding::/*vector*/halfvec(256)/*end*/ <=> /*point*/ :query::halfvec(256) /*end*/ AS distance,
               CASE WHEN knobs.all_set IS NOT NULL THEN walked.attributes END AS attributes
        FROM /*records*/ lookalike.records /*end*/ AS walked
        WHERE knobs.all_set IS NOT NULL AND /*part*/ TRUE /*end*/
        ORDER BY distance
        LIMIT /*budget*/ 500 /*end*/
    ) AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY r.distance
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest;

-- name: point
-- The vector of a stored record, where it is looked for; NULL, and so are all distances, where it is not stored.
SELECT q.embedding::/*vector*/halfvec(256)/*end*/ FROM /*records*/ lookalike.records /*end*/ AS q
WHERE q.collection_id = :collection_id AND q.id = :id;

-- name: compared
-- Source: every match with its distance to a vector. Never through the index, which orders by the distance without the
-- scale.
SELECT r.id, r.attributes,
       :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/;

-- name: walk_to_several
-- Source: what a walk towards the mean of several unit vectors finds, with the mean distance to the vectors themselves:
-- the mean of cosine distances is linear in the query, so the mean vector puts records in the same order.
SELECT candidate.id, candidate.attributes,
       (SELECT avg(:scale * (candidate.embedding <=> q)) FROM unnest(:queries::halfvec[]) AS q) AS distance
FROM (
    /*source*/ SELECT r.id, r.attributes, r.embedding FROM lookalike.records AS r /*end*/
) AS candidate;

-- name: near_crowds
-- The crowds whose vector, and so every record of theirs, is no further from a vector than what counts.
SELECT c.digest FROM lookalike.crowds AS c
WHERE c.records_table = :records_table
  AND :scale * (c.embedding::/*vector*/halfvec(256)/*end*/ <=> /*point*/ :query::halfvec(256) /*end*/) <= :reach;

-- name: near_crowds_of_several
-- As `near_crowds`, by the mean of the distances to several vectors.
SELECT c.digest FROM lookalike.crowds AS c
WHERE c.records_table = :records_table
  AND (SELECT avg(:scale * (c.embedding <=> q)) FROM unnest(:queries::halfvec[]) AS q) <= :reach;

-- name: in_near_crowds
-- Of each crowd that is no further from a vector than what counts, the first matches by id, as many as count: all of them
-- are equally far.
SELECT nearest.id, near.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT c.digest,
           :scale * (c.embedding::/*vector*/halfvec(256)/*end*/ <=> /*point*/ :query::halfvec(256) /*end*/) AS distance
    FROM lookalike.crowds AS c WHERE c.records_table = :records_table
) AS near
CROSS JOIN LATERAL (
    SELECT r.id, r.attributes
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.crowd = near.digest AND /*filter*/ TRUE /*end*/
    ORDER BY r.id
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
WHERE near.distance <= :reach;

-- name: compared_to_several
-- Source: every match with the mean, the least or the greatest of its distances to several vectors.
SELECT r.id, r.attributes,
       (SELECT /*aggregate*/ avg /*end*/ (:scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> q))
        FROM unnest(:queries::halfvec[]) AS q) AS distance
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/;

-- name: compared_to_examples
-- Source: every match with its distance to the nearest of several examples, or, where one of the counterexamples is nearer,
-- four times the scale less the distance to that: beyond every distance to an example, and the nearer, the further.
SELECT r.id, r.attributes,
       CASE WHEN example.distance <= counterexample.distance THEN example.distance
       ELSE 4 * :scale - counterexample.distance END AS distance
FROM /*records*/ lookalike.records /*end*/ AS r
CROSS JOIN LATERAL (
    SELECT min(:scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> q)) AS distance
    FROM unnest(:queries::halfvec[]) AS q
) AS example
CROSS JOIN LATERAL (
    SELECT min(:scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> q)) AS distance
    FROM unnest(:against::halfvec[]) AS q
) AS counterexample
WHERE /*filter*/ TRUE /*end*/;

-- name: candidates
-- Shape: all of a source, in no order.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
) AS nearest;

-- name: page
-- Shape: a page of the nearest of a source; the span `within` may bound their distances. That is compared with the very
-- value that is answered, so a record at exactly the radius is within it. The distance is computed once: ordered by
-- another expression of it, it was twice.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT s.id, s.attributes, s.distance
    FROM (
        /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
    ) AS s
    WHERE /*within*/ TRUE /*end*/
    ORDER BY s.distance, s.id
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: products
-- Shape: a page of the nearest record of each product of a source, nearest product first; the span `within` as in `page`.
-- A record without the product field (or with null in it) is a product of its own.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT DISTINCT ON (product, own) ranked.id, ranked.attributes, ranked.distance
    FROM (
        SELECT s.id, s.attributes, s.distance,
               nullif(s.attributes -> :product_field, 'null') AS product,
               CASE WHEN nullif(s.attributes -> :product_field, 'null') IS NULL THEN s.id END AS own
        FROM (
            /*source*/ SELECT r.id, r.attributes, 0.0 AS distance FROM lookalike.records AS r /*end*/
        ) AS s
        WHERE /*within*/ TRUE /*end*/
    ) AS ranked
    ORDER BY product, own, ranked.distance, ranked.id
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: case_compared
-- Source: as `compared`, with their places in place of attributes, for those matches that satisfy one of a filter's cases.
SELECT r.id, r.ctid AS place,
       :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> /*point*/ :query::halfvec(256) /*end*/) AS distance
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/;

-- name: matches_compared
-- The nearest matches of a filter, with their number: as many as the bound are compared and counted, no more. At the
-- bound both mean nothing, as there may be more. One row at least; its id is NULL where there is no record to answer.
-- Records are read again for their attributes by their places, which no other statement can change under this one.
WITH matching AS MATERIALIZED (
    SELECT m.id, m.place, m.distance
    FROM (
        /*matches*/ SELECT r.id, r.ctid AS place, 0.0 AS distance FROM lookalike.records AS r /*end*/
    ) AS m
    LIMIT /*bound*/ 10001 /*end*/
)
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes, counted.matches
FROM (SELECT count(*) AS matches FROM matching) AS counted
LEFT JOIN (
    SELECT page.id, page.distance, record.attributes
    FROM (
        SELECT matching.id, matching.place, matching.distance FROM matching
        ORDER BY matching.distance, matching.id
        LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/
    ) AS page
    JOIN /*records*/ lookalike.records /*end*/ AS record ON record.ctid = page.place
) AS nearest ON TRUE
ORDER BY nearest.distance, nearest.id;

-- name: ids_compared
-- As `matches_compared`, without attributes.
WITH matching AS MATERIALIZED (
    SELECT m.id, m.distance
    FROM (
        /*matches*/ SELECT r.id, r.ctid AS place, 0.0 AS distance FROM lookalike.records AS r /*end*/
    ) AS m
    LIMIT /*bound*/ 10001 /*end*/
)
SELECT nearest.id, nearest.distance, NULL::text AS attributes, counted.matches
FROM (SELECT count(*) AS matches FROM matching) AS counted
LEFT JOIN (
    SELECT matching.id, matching.distance FROM matching
    ORDER BY matching.distance, matching.id
    LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/
) AS nearest ON TRUE
ORDER BY nearest.distance, nearest.id;

-- name: products_of
-- The products of some records; those without one are left out.
SELECT r.id, (r.attributes -> :product_field)::text AS product
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
  AND nullif(r.attributes -> :product_field, 'null') IS NOT NULL;

-- name: distances
-- The distances of vectors to one vector, in their order.
SELECT :scale * (v.embedding <=> :query::halfvec) AS distance
FROM unnest(:vectors::halfvec[]) WITH ORDINALITY AS v (embedding, position)
ORDER BY v.position;

-- name: stored
-- Stored records as a search looks for them: the vector, attributes, and whether they match a filter.
SELECT r.id, r.embedding, (/*fields*/ r.attributes /*end*/)::text AS attributes, (/*filter*/ TRUE /*end*/) AS matches
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: expected_matches
-- Explained, never run: the planner's plan of a filter says where to begin, and no more than that.
SELECT 1 AS one FROM /*records*/ lookalike.records /*end*/ AS r WHERE /*filter*/ TRUE /*end*/;

-- name: count_matches
-- How many records match a filter, counted up to a bound and no further.
SELECT count(*) AS matches FROM (
    SELECT 1 AS one FROM /*records*/ lookalike.records /*end*/ AS r WHERE /*filter*/ TRUE /*end*/ LIMIT /*limit*/ 10001 /*end*/
) AS bounded;
