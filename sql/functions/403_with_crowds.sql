-- A list of the records nearest to a vector, as a walk of the HNSW index found it, with those that stand beside that index.
--
-- Arguments: the name of the collection; a vector of its dimension; how many records are wanted; a filter in the API's
--   language; the distance before which the list is complete; the list: ids, distances on the API's scale, attributes.
-- Result: one row, the list, nearest first, equal distances by id. Records of crowds join it that are no further than
--   its `k`-th, and nearer than where it ends; beyond the `k`-th it may lack some.
-- Index: the partition's on (crowd, id).
-- Rights: the caller's. Fixed search_path. Called by nearest_records; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.with_crowds(
    collection text, vector halfvec, k integer, filter jsonb, edge double precision,
    INOUT ids text[], INOUT distances double precision[], INOUT found_attributes jsonb[]
)
LANGUAGE plpgsql STABLE
COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record := lookalike.collection_space(collection);
    asked record := lookalike.filter_compiled(filter);
    crowds bigint[];
BEGIN
    EXECUTE format('SELECT array_agg(c.digest) FROM lookalike.crowds AS c
                    WHERE c.records_table = $3 AND $1 * (c.embedding::%1$s %2$s $2::%1$s) <= $4',
                   space.half, space.cosine)
        INTO crowds
        USING space.scale, vector, split_part(space.records, '.', 2),
            CASE WHEN cardinality(ids) >= k THEN distances[k] ELSE edge END;
    IF crowds IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT array_agg(n.id ORDER BY n.distance, n.id COLLATE "C"),
                array_agg(n.distance ORDER BY n.distance, n.id COLLATE "C"),
                array_agg(n.attributes ORDER BY n.distance, n.id COLLATE "C")
         FROM (
             SELECT * FROM unnest($6, $7, $8) AS walked (id, distance, attributes)
             UNION ALL
             (SELECT c.id, c.distance, c.attributes FROM (
                  SELECT r.id, r.attributes, $1 * (r.embedding::%1$s %2$s $2::%1$s) AS distance
                  FROM %3$s AS r WHERE r.crowd = ANY ($4) AND (%4$s)
              ) AS c WHERE c.distance < $9 ORDER BY c.distance, c.id LIMIT $5)
         ) AS n',
        space.half, space.cosine, lookalike.unexpired(space.id, space.records), asked.condition)
        INTO ids, distances, found_attributes
        USING space.scale, vector, asked.path, crowds, k, ids, distances, found_attributes, edge;
    SELECT coalesce(ids, '{}'), coalesce(distances, '{}'), coalesce(found_attributes, '{}')
    INTO ids, distances, found_attributes;
END;
$$;

COMMENT ON FUNCTION lookalike.with_crowds(text, halfvec, integer, jsonb, double precision, text[], double precision[], jsonb[]) IS
    'Internal: a list of near records with those in crowds, for the functions that search. Caller''s rights.';
