-- The Jaccard distance of two sets of tags: 1 - |a and b| / |a or b|.
--
-- Arguments: two arrays; duplicates count once. NULL counts as empty.
-- Result: 0 (the same tags) to 1 (none in common); 0 where both are empty.
-- Rights: the caller's; its names were resolved when it was made. Called by the queries on tags, on candidates only; no
--   index serves it.
CREATE OR REPLACE FUNCTION lookalike.tags_distance(a text[], b text[]) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN count(*) = 0 THEN 0
                ELSE 1 - count(*) FILTER (WHERE tag = ANY (a) AND tag = ANY (b))::double precision / count(*) END
    FROM (SELECT unnest(a) AS tag UNION SELECT unnest(b)) AS tags;
END;

COMMENT ON FUNCTION lookalike.tags_distance(text[], text[]) IS
    'The Jaccard distance of two sets of tags, 0 to 1. Caller''s rights.';
