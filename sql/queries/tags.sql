-- Searches by likeness and tags together: sources for the shapes of search.sql. A query is a vector, a weight and a list of
-- tags; the distance of a record to it is (1 - weight) x its visual distance + weight x scale x the Jaccard distance of the
-- tags; to several queries, the mean, the least or the greatest of those.

-- name: combined
-- Source: three sets of candidates: those visually nearest, those that share a tag, and, where it is asked for, those that
-- share all tags. A record that shares no tag has the greatest tag distance, so whatever is visually nearer is also better:
-- the best of those records are among the visually nearest. The spans `sharing` and `whole` keep all of their sets, or,
-- where there are too many, the visually nearest; `edge` says then how far that is.
WITH queries AS MATERIALIZED (
    SELECT q.embedding, q.weight, ARRAY(SELECT jsonb_array_elements_text(q.tags)) AS tags
    FROM unnest(:queries::halfvec[], :weights::double precision[], :tags::jsonb[]) AS q (embedding, weight, tags)
)
SELECT candidate.id, candidate.attributes,
       (SELECT /*aggregate*/ avg /*end*/ (
            (1 - q.weight) * (:scale * (candidate.embedding::/*vector*/halfvec(256)/*end*/ <=> q.embedding))
            + q.weight * :scale * lookalike.tags_distance(candidate.tags, q.tags))
        FROM queries AS q) AS distance
FROM (
    SELECT set_config('hnsw.ef_search', :effort, true) || set_config('hnsw.max_scan_tuples', :visits, true) AS all_set
) AS knobs
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (sets.id) sets.id, sets.attributes, sets.embedding,
           lookalike.tags_of(sets.attributes, :tags_field) AS tags
    FROM (
        (SELECT r.id, r.attributes, r.embedding
         FROM /*records*/ lookalike.records /*end*/ AS r
         WHERE knobs.all_set IS NOT NULL AND /*filter*/ TRUE /*end*/
         ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
         LIMIT /*candidates*/ 200 /*end*/)
        UNION ALL
        (SELECT r.id, r.attributes, r.embedding
         FROM /*records*/ lookalike.records /*end*/ AS r
         WHERE knobs.all_set IS NOT NULL AND r.attributes @? :sharing::jsonpath AND /*filter*/ TRUE /*end*/
         /*sharing*/ ORDER BY r.id /*end*/)
        UNION ALL
        (SELECT r.id, r.attributes, r.embedding
         FROM /*records*/ lookalike.records /*end*/ AS r
         WHERE knobs.all_set IS NOT NULL AND r.attributes @? :whole::jsonpath AND /*filter*/ TRUE /*end*/
         /*whole*/ ORDER BY r.id /*end*/)
    ) AS sets
    ORDER BY sets.id
) AS candidate;

-- name: compared
-- Source: every match with its combined distance. The tags of a record are read once, not once a query.
WITH queries AS MATERIALIZED (
    SELECT q.embedding, q.weight, ARRAY(SELECT jsonb_array_elements_text(q.tags)) AS tags
    FROM unnest(:queries::halfvec[], :weights::double precision[], :tags::jsonb[]) AS q (embedding, weight, tags)
)
SELECT candidate.id, candidate.attributes,
       (SELECT /*aggregate*/ avg /*end*/ (
            (1 - q.weight) * (:scale * (candidate.embedding::/*vector*/halfvec(256)/*end*/ <=> q.embedding))
            + q.weight * :scale * lookalike.tags_distance(candidate.tags, q.tags))
        FROM queries AS q) AS distance
FROM (
    SELECT r.id, r.attributes, r.embedding, lookalike.tags_of(r.attributes, :tags_field) AS tags
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*filter*/ TRUE /*end*/
    OFFSET 0
) AS candidate;

-- name: edge
-- The visual distance of the last of the records that the window of `combined` keeps; NULL where it is not full.
SELECT CASE WHEN count(*) = /*window*/ 2000 /*end*/ THEN max(kept.distance) END AS edge
FROM (
    SELECT set_config('hnsw.ef_search', :effort, true) || set_config('hnsw.max_scan_tuples', :visits, true) AS all_set
) AS knobs
CROSS JOIN LATERAL (
    SELECT :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS distance
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE knobs.all_set IS NOT NULL AND r.attributes @? :sharing::jsonpath AND /*filter*/ TRUE /*end*/
    ORDER BY r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/
    LIMIT /*window*/ 2000 /*end*/
) AS kept;
