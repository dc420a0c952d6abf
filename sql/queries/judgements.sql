-- Named queries on judgements of stored pairs by people. Pairs of records that have expired are none.

-- name: strata
-- Of each stratum of the pairs within a radius: how many pairs it has, how many were judged, and how many of these are the same.
WITH stored AS (
    SELECT p.one, p.other, least(p.distance, p.hash_distance) AS distance FROM lookalike.duplicate_pairs AS p
    WHERE p.collection_id = :collection_id AND least(p.distance, p.hash_distance) <= :radius
    UNION ALL
    SELECT least(c.id, c.first), greatest(c.id, c.first), 0 FROM lookalike.duplicate_copies AS c
    WHERE c.collection_id = :collection_id
), pairs AS (
    SELECT s.one, s.other, s.distance FROM stored AS s
    JOIN /*records*/ lookalike.records /*end*/ AS x ON x.collection_id = :collection_id AND x.id = s.one
    JOIN /*records*/ lookalike.records /*end*/ AS y ON y.collection_id = :collection_id AND y.id = s.other
)
SELECT greatest(1, ceil(p.distance / :width))::integer AS stratum, count(*) AS pairs, count(j.same) AS judged,
       count(*) FILTER (WHERE j.same) AS same
FROM pairs AS p
LEFT JOIN lookalike.duplicate_judgements AS j
    ON j.collection_id = :collection_id AND j.one = p.one AND j.other = p.other AND abs(j.distance - p.distance) < 1e-6
GROUP BY stratum;

-- name: draw
-- Pairs that nobody has judged, so many of each stratum, each as likely as any other of it, in random order.
WITH stored AS (
    SELECT p.one, p.other, least(p.distance, p.hash_distance) AS distance FROM lookalike.duplicate_pairs AS p
    WHERE p.collection_id = :collection_id AND least(p.distance, p.hash_distance) <= :radius
    UNION ALL
    SELECT least(c.id, c.first), greatest(c.id, c.first), 0 FROM lookalike.duplicate_copies AS c
    WHERE c.collection_id = :collection_id
), pairs AS (
    SELECT s.one, s.other, s.distance FROM stored AS s
    JOIN /*records*/ lookalike.records /*end*/ AS x ON x.collection_id = :collection_id AND x.id = s.one
    JOIN /*records*/ lookalike.records /*end*/ AS y ON y.collection_id = :collection_id AND y.id = s.other
), unjudged AS (
    SELECT p.one, p.other, greatest(1, ceil(p.distance / :width))::integer AS stratum, random() AS chance
    FROM pairs AS p
    WHERE NOT EXISTS (
        SELECT FROM lookalike.duplicate_judgements AS j
        WHERE j.collection_id = :collection_id AND j.one = p.one AND j.other = p.other
            AND abs(j.distance - p.distance) < 1e-6)
), placed AS (
    SELECT u.one, u.other, u.stratum, u.chance, row_number() OVER (PARTITION BY u.stratum ORDER BY u.chance) AS place
    FROM unjudged AS u
)
SELECT p.one, p.other
FROM placed AS p
JOIN unnest(:strata::integer[], :wanted::integer[]) AS w (stratum, wanted) ON w.stratum = p.stratum
WHERE p.place <= w.wanted
ORDER BY random();

-- name: judge
-- Stores judgements of stored pairs, with the distance at which each lies; returns the pairs.
WITH given AS (
    SELECT DISTINCT ON (least(g.one, g.other), greatest(g.one, g.other))
           least(g.one, g.other) AS one, greatest(g.one, g.other) AS other, g.same
    FROM unnest(:ones::text[] COLLATE "C", :others::text[] COLLATE "C", :same::boolean[]) WITH ORDINALITY
        AS g (one, other, same, place)
    ORDER BY least(g.one, g.other), greatest(g.one, g.other), g.place DESC
)
INSERT INTO lookalike.duplicate_judgements AS j (collection_id, one, other, distance, same, judged_by)
SELECT :collection_id, g.one, g.other, coalesce(least(p.distance, p.hash_distance), 0), g.same, :judged_by
FROM given AS g
LEFT JOIN lookalike.duplicate_pairs AS p
    ON p.collection_id = :collection_id AND p.one = g.one AND p.other = g.other
WHERE p.one IS NOT NULL OR EXISTS (
    SELECT FROM lookalike.duplicate_copies AS c
    WHERE c.collection_id = :collection_id AND (c.id, c.first) IN ((g.one, g.other), (g.other, g.one)))
ON CONFLICT (collection_id, one, other) DO UPDATE
    SET distance = excluded.distance, same = excluded.same, judged_at = now(), judged_by = excluded.judged_by
RETURNING j.one, j.other;
