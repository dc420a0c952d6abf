-- The records nearest to a stored record, but no twenty of a kind: what `diversity` answers, in SQL.
--
-- Arguments: the name of the collection; the record's id; how many records; diversity, 0 (nearest first) to 1 (as different
--   as can be); how many of the nearest records they are chosen from, NULL for 5 x k, at most 2,000; a filter in the API's
--   language, NULL or '{}' for none.
-- Result: id, distance and attributes, in the order of maximal marginal relevance (J. Carbonell, J. Goldstein, SIGIR 1998):
--   each next record has the greatest (1 - diversity) x likeness to the query - diversity x greatest likeness to a record
--   before it. The nearest comes first. `place` numbers them from 1. No rows where an argument but the filter and the
--   candidates is NULL. SQLSTATE P0002: no such collection or record; 22023: a diversity or number out of range.
-- Index: as lookalike.knn, of which it is one call. The vectors of the candidates are compared k times.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path.
CREATE OR REPLACE FUNCTION lookalike.knn_varied(
    collection text, record_id text, k integer, diversity double precision, candidates integer DEFAULT NULL,
    filter jsonb DEFAULT NULL
) RETURNS TABLE (place integer, id text, distance double precision, attributes jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
ROWS 30 COST 100000
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pool constant integer := coalesce(candidates, least(2000, 5 * k::bigint)::integer);
    scale double precision;
    found_ids text[];
    near record;
    likeness double precision[];
    chosen integer := 1;
BEGIN
    IF collection IS NULL OR record_id IS NULL OR k IS NULL OR diversity IS NULL THEN
        RETURN;
    END IF;
    IF NOT diversity BETWEEN 0 AND 1 OR k NOT BETWEEN 0 AND 2000 OR pool NOT BETWEEN k AND 2000 THEN
        RAISE invalid_parameter_value USING MESSAGE =
            'diversity is 0 to 1, k and candidates are at most 2000, and candidates are k or more';
    END IF;
    scale := (lookalike.collection_space(collection)).scale;
    -- A record holds them, as its columns' types are known when it is filled: pgvector may lie in another schema by then.
    SELECT array_agg(n.id ORDER BY n.distance, n.id COLLATE "C") AS ids,
           array_agg(n.distance ORDER BY n.distance, n.id COLLATE "C") AS distances,
           array_agg(n.attributes ORDER BY n.distance, n.id COLLATE "C") AS attributes,
           array_agg(lookalike.vector_of(collection, n.id)::vector ORDER BY n.distance, n.id COLLATE "C") AS vectors
    INTO near
    FROM lookalike.knn(collection, record_id, pool, filter) AS n;
    IF near.ids IS NULL THEN
        RETURN;
    END IF;
    found_ids := near.ids;
    likeness := array_fill(-2::double precision, ARRAY[cardinality(found_ids)]);
    FOR position IN 1 .. least(k, cardinality(found_ids)) LOOP
        place := position;
        id := found_ids[chosen];
        distance := near.distances[chosen];
        attributes := near.attributes[chosen];
        RETURN NEXT;
        found_ids[chosen] := NULL;
        SELECT array_agg(greatest(l.likeness, 1 - (l.vector <=> near.vectors[chosen])) ORDER BY l.place) INTO likeness
        FROM unnest(likeness, near.vectors) WITH ORDINALITY AS l (likeness, vector, place);
        SELECT l.place INTO chosen
        FROM unnest(likeness, near.distances, found_ids) WITH ORDINALITY AS l (likeness, distance, id, place)
        WHERE l.id IS NOT NULL
        ORDER BY (1 - diversity) * (1 - l.distance / scale) - diversity * l.likeness DESC, l.place
        LIMIT 1;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lookalike.knn_varied(text, text, integer, double precision, integer, jsonb) IS
    'The records of a collection nearest to one of its records that are unlike each other, by maximal marginal relevance, '
    'among those that match a filter of the API''s language. Owner''s rights.';
