-- Nearest-neighbour queries on the records of one collection.
--
-- The innermost query is what the HNSW index serves (`hnsw ((embedding::halfvec(D)) halfvec_cosine_ops)`): an ORDER BY
-- on the indexed expression and a literal LIMIT. Around it stands the same order with the number of rows that are
-- wanted: the rows are read one after the other, no further than they are wanted, and the plan, which depends on the
-- innermost LIMIT alone, is the same for every page. With iterative_scan = relaxed_order the rows come nearly in order;
-- app/db/ladder.py puts them in their exact order.
-- The spans `vector` are `halfvec(D)`; distances are multiplied with the scale of the collection's model.

-- name: knn_by_id
-- The nearest records to a stored record as the index finds them: one round trip, the vector never leaves the database.
-- The distance is NULL where the record is not stored. The search effort is set for this statement alone: `knobs` is read
-- before the index is, and what it set ends with the transaction.
SELECT nearest.id, :scale * nearest.distance AS distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (SELECT set_config('hnsw.ef_search', :effort, true) AS effort) AS knobs
CROSS JOIN LATERAL (
    SELECT walked.id, walked.attributes, walked.distance
    FROM (
        SELECT r.id, r.attributes,
               r.embedding::/*vector*/halfvec(256)/*end*/ <=> (
                   SELECT q.embedding::/*vector*/halfvec(256)/*end*/ FROM /*records*/ lookalike.records /*end*/ AS q
                   WHERE q.collection_id = :collection_id AND q.id = :id) AS distance
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE knobs.effort IS NOT NULL
        ORDER BY distance
        LIMIT /*budget*/ 100 /*end*/
    ) AS walked
    ORDER BY walked.distance
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest;

-- name: knn_by_vector
-- The nearest records to a vector as the index finds them; the search effort as in `knn_by_id`.
SELECT nearest.id, :scale * nearest.distance AS distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (SELECT set_config('hnsw.ef_search', :effort, true) AS effort) AS knobs
CROSS JOIN LATERAL (
    SELECT walked.id, walked.attributes, walked.distance
    FROM (
        SELECT r.id, r.attributes,
               r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/ AS distance
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE knobs.effort IS NOT NULL
        ORDER BY distance
        LIMIT /*budget*/ 100 /*end*/
    ) AS walked
    ORDER BY walked.distance
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest;

-- name: matches_by_walk
-- The nearest matches of a filter among the records that the index finds nearest to a vector: it is walked until enough
-- match, or until the budget of candidates (the innermost LIMIT) is spent. The search effort is set for this statement
-- alone: `knobs` is read before the walk begins, and what it set ends with the transaction. The attributes pass through
-- CASE to be no column of the table: for one the planner tries the filter on 1,000 sampled values, .3 ms a search, and
-- this plan does not depend on what comes of it. The span `part` is the predicate of a partial index to walk through.
SELECT nearest.id, :scale * nearest.distance AS distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT set_config('hnsw.ef_search', :effort, true) || set_config('hnsw.max_scan_tuples', :visits, true) AS all_set
) AS knobs
CROSS JOIN LATERAL (
    SELECT r.id, r.attributes, r.distance
    FROM (
        SELECT walked.id,
               walked.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/ AS distance,
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

-- name: window
-- The records that the index finds nearest to a vector; in `products_candidates` and `multi_candidates` it stands for the
-- records where there is a filter, so that what is found in it is complete.
SELECT walked.* FROM /*records*/ lookalike.records /*end*/ AS walked
ORDER BY walked.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
LIMIT /*budget*/ 500 /*end*/;

-- name: matches_compared
-- The nearest matches of a filter, with their number: as many as the bound are compared and counted, no more. At the
-- bound both mean nothing, as there may be more. One row at least; its id is NULL where there is no record to answer.
WITH matching AS MATERIALIZED (
    SELECT r.id,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    LIMIT /*bound*/ 10001 /*end*/
)
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes, counted.matches
FROM (SELECT count(*) AS matches FROM matching) AS counted
LEFT JOIN (
    SELECT page.id, page.distance, record.attributes
    FROM (
        SELECT matching.id, matching.distance FROM matching
        ORDER BY matching.distance, matching.id
        LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/
    ) AS page
    JOIN /*records*/ lookalike.records /*end*/ AS record
        ON record.collection_id = :collection_id AND record.id = page.id
) AS nearest ON TRUE
ORDER BY nearest.distance, nearest.id;

-- name: exact_by_vector
-- The nearest records to a vector, compared with every record that matches. Never through the index, which orders by the
-- distance without the scale. The distance is computed once: ordered by another expression of it, it was twice.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY distance, r.id
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: within
-- Every record within a radius of a vector that matches the filter, nearest first: compares every match. The radius is
-- compared with the very value that is answered, so a record at exactly the radius is within it.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
) AS nearest
WHERE nearest.distance <= :radius
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ ALL /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: products_within
-- The nearest record of each product within a radius of a vector, nearest product first: compares every match.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT DISTINCT ON (product, own) ranked.id, ranked.attributes, ranked.distance
    FROM (
        SELECT r.id, r.attributes,
               nullif(r.attributes -> :product_field, 'null') AS product,
               CASE WHEN nullif(r.attributes -> :product_field, 'null') IS NULL THEN r.id END AS own,
               :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/)
                   AS distance
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE /*filter*/ TRUE /*end*/
    ) AS ranked
    WHERE ranked.distance <= :radius
    ORDER BY product, own, ranked.distance, ranked.id
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ ALL /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: products_by_vector
-- The nearest record of each product, nearest product first, compared with every record that matches. A record without
-- the product field (or with null in it) is a product of its own.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT DISTINCT ON (product, own) ranked.id, ranked.attributes, ranked.distance
    FROM (
        SELECT r.id, r.attributes,
               nullif(r.attributes -> :product_field, 'null') AS product,
               CASE WHEN nullif(r.attributes -> :product_field, 'null') IS NULL THEN r.id END AS own,
               :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/)
                   AS distance
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE /*filter*/ TRUE /*end*/
    ) AS ranked
    ORDER BY product, own, ranked.distance, ranked.id
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ ALL /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: products_candidates
-- The nearest record of each product among the records that the index finds nearest to a vector.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT DISTINCT ON (product, own) ranked.id, ranked.attributes, ranked.distance
    FROM (
        SELECT r.id, r.attributes,
               nullif(r.attributes -> :product_field, 'null') AS product,
               CASE WHEN nullif(r.attributes -> :product_field, 'null') IS NULL THEN r.id END AS own,
               :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/)
                   AS distance
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE /*filter*/ TRUE /*end*/
        ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
        LIMIT /*candidates*/ 200 /*end*/
    ) AS ranked
    ORDER BY product, own, ranked.distance, ranked.id
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: products_of
-- The products of some records, each once.
SELECT DISTINCT (r.attributes -> :product_field)::text AS product
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids)
  AND nullif(r.attributes -> :product_field, 'null') IS NOT NULL;

-- name: multi_candidates
-- The records nearest to the mean of several unit vectors as the index finds them, with their mean distance to the vectors
-- themselves: the mean of cosine distances is linear in the query, so the mean vector puts records in the same order.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT candidate.id, candidate.attributes,
           (SELECT avg(:scale * (candidate.embedding <=> q)) FROM unnest(:queries::halfvec[]) AS q) AS distance
    FROM (
        SELECT r.id, r.attributes, r.embedding::/*vector*/halfvec(256)/*end*/ AS embedding,
               r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/ AS from_mean
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE /*filter*/ TRUE /*end*/
        ORDER BY from_mean
        LIMIT /*budget*/ 100 /*end*/
    ) AS candidate
    ORDER BY candidate.from_mean
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest;

-- name: multi_exact
-- The records nearest to several vectors by the mean, the least or the greatest of their distances: compares every match.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           (SELECT /*aggregate*/ avg /*end*/ (:scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> q))
            FROM unnest(:queries::halfvec[]) AS q) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: distances
-- The distances of vectors to one vector, in their order.
SELECT :scale * (v.embedding <=> :query::halfvec) AS distance
FROM unnest(:vectors::halfvec[]) WITH ORDINALITY AS v (embedding, position)
ORDER BY v.position;

-- name: vectors
-- The stored vectors of records.
SELECT r.id, r.embedding FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids);

-- name: vector
-- The stored vector of one record, and whether that matches a filter.
SELECT r.embedding, (/*filter*/ TRUE /*end*/) AS matches
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = :id;

-- name: expected_matches
-- Explained, never run: the planner's plan of a filter says where to begin, and no more than that.
SELECT FROM /*records*/ lookalike.records /*end*/ AS r WHERE /*filter*/ TRUE /*end*/;

-- name: count_matches
-- How many records match a filter, counted up to a bound and no further.
SELECT count(*) AS matches FROM (
    SELECT FROM /*records*/ lookalike.records /*end*/ AS r WHERE /*filter*/ TRUE /*end*/ LIMIT /*limit*/ 10001 /*end*/
) AS bounded;
