-- Searches by likeness and tags together. A query is a vector, a weight and a list of tags; the distance of a record to it
-- is (1 - weight) x its visual distance + weight x scale x the Jaccard distance of the tags; to several queries, the mean,
-- the least or the greatest of those.

-- name: combined
-- The best records by the combined distance, out of three sets of candidates: those visually nearest, those that share a
-- tag, and, where it is asked for, those that share all tags. A record that shares no tag has the greatest tag distance,
-- so whatever is visually nearer is also better: the best of those records are among the visually nearest. The spans
-- `sharing` and `whole` keep all of their sets, or, where there are too many, the visually nearest; `edges` says then how
-- far that is.
WITH queries AS MATERIALIZED (
    SELECT q.embedding, q.weight, ARRAY(SELECT jsonb_array_elements_text(q.tags)) AS tags
    FROM unnest(:queries::halfvec[], :weights::double precision[], :tags::jsonb[]) AS q (embedding, weight, tags)
)
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT candidate.id, candidate.attributes,
           (SELECT /*aggregate*/ avg /*end*/ (
                (1 - q.weight) * (:scale * (candidate.embedding::/*vector*/halfvec(256)/*end*/ <=> q.embedding))
                + q.weight * :scale * lookalike.tags_distance(candidate.tags, q.tags))
            FROM queries AS q) AS distance
    FROM (
        SELECT DISTINCT ON (both_sets.id) both_sets.id, both_sets.attributes, both_sets.embedding,
               lookalike.tags_of(both_sets.attributes, :tags_field) AS tags
        FROM (
            (SELECT r.id, r.attributes, r.embedding
             FROM /*records*/ lookalike.records /*end*/ AS r
             WHERE /*filter*/ TRUE /*end*/
             ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
             LIMIT /*candidates*/ 200 /*end*/)
            UNION ALL
            (SELECT r.id, r.attributes, r.embedding
             FROM /*records*/ lookalike.records /*end*/ AS r
             WHERE r.attributes @> ANY (:sharing::jsonb[]) AND /*filter*/ TRUE /*end*/
             /*sharing*/ ORDER BY r.id /*end*/)
            UNION ALL
            (SELECT r.id, r.attributes, r.embedding
             FROM /*records*/ lookalike.records /*end*/ AS r
             WHERE r.attributes @> :whole::jsonb AND /*filter*/ TRUE /*end*/
             /*whole*/ ORDER BY r.id /*end*/)
        ) AS both_sets
        ORDER BY both_sets.id
    ) AS candidate
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: edge
-- The visual distance of the last of the records that the window of `combined` keeps; NULL where it is not full.
SELECT CASE WHEN count(*) = /*window*/ 2000 /*end*/ THEN max(kept.distance) END AS edge
FROM (
    SELECT :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.attributes @> ANY (:sharing::jsonb[]) AND /*filter*/ TRUE /*end*/
    ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
    LIMIT /*window*/ 2000 /*end*/
) AS kept;

-- name: combined_exact
-- The best records by the combined distance, computed for every match: the measure of `combined`, and the way where the
-- distance is not the mean.
WITH queries AS MATERIALIZED (
    SELECT q.embedding, q.weight, ARRAY(SELECT jsonb_array_elements_text(q.tags)) AS tags
    FROM unnest(:queries::halfvec[], :weights::double precision[], :tags::jsonb[]) AS q (embedding, weight, tags)
)
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT candidate.id, candidate.attributes,
           (SELECT /*aggregate*/ avg /*end*/ (
                (1 - q.weight) * (:scale * (candidate.embedding::/*vector*/halfvec(256)/*end*/ <=> q.embedding))
                + q.weight * :scale * lookalike.tags_distance(candidate.tags, q.tags))
            FROM queries AS q) AS distance
    FROM (
        SELECT r.id, r.attributes, r.embedding, lookalike.tags_of(r.attributes, :tags_field) AS tags
        FROM /*records*/ lookalike.records /*end*/ AS r
        WHERE /*filter*/ TRUE /*end*/
        OFFSET 0  -- the tags of a record are read once, not once a query
    ) AS candidate
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: combined_products
-- The best record of each product by the combined distance, best product first, computed for every match.
WITH queries AS MATERIALIZED (
    SELECT q.embedding, q.weight, ARRAY(SELECT jsonb_array_elements_text(q.tags)) AS tags
    FROM unnest(:queries::halfvec[], :weights::double precision[], :tags::jsonb[]) AS q (embedding, weight, tags)
)
SELECT nearest.id, nearest.distance, (/*fields*/ nearest.attributes /*end*/)::text AS attributes
FROM (
    SELECT DISTINCT ON (product, own) ranked.id, ranked.attributes, ranked.distance
    FROM (
        SELECT candidate.id, candidate.attributes,
               nullif(candidate.attributes -> :product_field, 'null') AS product,
               CASE WHEN nullif(candidate.attributes -> :product_field, 'null') IS NULL THEN candidate.id END AS own,
               (SELECT /*aggregate*/ avg /*end*/ (
                    (1 - q.weight) * (:scale * (candidate.embedding::/*vector*/halfvec(256)/*end*/ <=> q.embedding))
                    + q.weight * :scale * lookalike.tags_distance(candidate.tags, q.tags))
                FROM queries AS q) AS distance
        FROM (
            SELECT r.id, r.attributes, r.embedding, lookalike.tags_of(r.attributes, :tags_field) AS tags
            FROM /*records*/ lookalike.records /*end*/ AS r
            WHERE /*filter*/ TRUE /*end*/
            OFFSET 0  -- the tags of a record are read once, not once a query
        ) AS candidate
    ) AS ranked
    ORDER BY product, own, ranked.distance, ranked.id
) AS nearest
ORDER BY nearest.distance, nearest.id
LIMIT /*limit*/ 30 /*end*/ OFFSET /*offset*/ 0 /*end*/;

-- name: count_sharing
-- How many records that match a filter share a tag, counted up to a bound and no further.
SELECT count(*) AS matches FROM (
    SELECT FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.attributes @> ANY (:sharing::jsonb[]) AND /*filter*/ TRUE /*end*/
    LIMIT /*limit*/ 10001 /*end*/
) AS bounded;
