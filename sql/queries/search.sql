-- Nearest-neighbour queries on the records of one collection.
--
-- The inner query is what the HNSW index serves (`hnsw ((embedding::halfvec(D)) halfvec_cosine_ops)`): an ORDER BY on
-- the indexed expression and a literal LIMIT. With iterative_scan = relaxed_order its rows come nearly in order, so the
-- outer query sorts them by their exact distance. `+ 0` in the exact queries hides the expression from the index.
-- The spans `half_query` are `halfvec(D)`; distances are multiplied with the scale of the collection's model.

-- name: knn_by_id
-- The nearest records to a stored record, through the index where there is one: one round trip, the vector never leaves
-- the database. The distance is NULL where the record is not stored.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> (
               SELECT q.embedding::/*vector*/halfvec(256)/*end*/ FROM /*records*/ lookalike.records /*end*/ AS q
               WHERE q.collection_id = :collection_id AND q.id = :id)) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> (
        SELECT q.embedding::/*vector*/halfvec(256)/*end*/ FROM /*records*/ lookalike.records /*end*/ AS q
        WHERE q.collection_id = :collection_id AND q.id = :id)
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: knn_by_vector
-- The nearest records to a vector, through the index where there is one.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: exact_by_vector
-- The nearest records to a vector, compared with every record that matches: never through the index.
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT r.id, r.attributes,
           :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    ORDER BY (:scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/)) + 0, r.id
    LIMIT /*candidates*/ 30 /*end*/
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: vector
-- The stored vector of one record.
SELECT r.embedding FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND r.id = :id;

-- name: count_matches
-- How many records match a filter, counted up to a bound and no further.
SELECT count(*) AS matches FROM (
    SELECT FROM /*records*/ lookalike.records /*end*/ AS r WHERE /*filter*/ TRUE /*end*/ LIMIT /*limit*/ 10001 /*end*/
) AS bounded;
