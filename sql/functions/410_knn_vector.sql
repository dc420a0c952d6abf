-- The records nearest to a vector: what visualKNN answers, in SQL.
--
-- Arguments: the name of the collection; a vector of its dimension, of any length (a `vector` is cast by itself, a
--   real[] by ::halfvec); how many records, 0 to 100,000; a filter in the API's language, NULL or '{}' for none.
-- Result: up to k rows, nearest first, equal distances by id: id, distance on the API's scale, attributes. Fewer than k
--   only where fewer records match. No rows where the collection, the vector or k is NULL.
--   SQLSTATE P0002: no such collection; 22023: a wrong dimension, k or filter.
-- The filter is applied inside, so that the answer is complete: a WHERE behind this function only thins out its k rows.
--   The rule is the API's (app/db/chooser.py), with the same costs (`search_costs`, else the usual), but without a memory,
--   and as if an index found the matches. The HNSW index is walked at once where that is expected to cost half as much as
--   comparing the matches, or less. Else they are counted up to a bound, or twice as many as the planner expects; within
--   that all are compared. A walk keeps what matches of the nearest records, so that nothing nearer was passed over.
--   Twice the records that chance would need are walked to: where they do not hold k matches, the filter runs against the
--   query, and all matches are compared after all.
-- Index: the partition's HNSW index where it is there and k is at most 1,000; the search effort is hnsw.ef_search, at
--   least 150 and k, with a filter more beyond 60,000 records. GIN on attributes for the filter. The settings of the
--   session are as before afterwards.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. PARALLEL
--   UNSAFE, as it sets hnsw.* for its own query.
CREATE OR REPLACE FUNCTION lookalike.knn_vector(
    collection text, vector halfvec, k integer DEFAULT 30, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
ROWS 30 COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    asked record;
    statement text;
    costs record;
    few bigint;
    counted bigint;
    through_index boolean;
    expected bigint := 0;
    budget bigint := k;
    effort integer := 150;
    settings text[];
    ids text[];
    distances double precision[];
    found_attributes jsonb[];
BEGIN
    IF collection IS NULL OR vector IS NULL OR k IS NULL THEN
        RETURN;
    END IF;
    space := lookalike.collection_space(collection);
    asked := lookalike.filter_compiled(filter);
    PERFORM lookalike.check_query(space.dimensions, vector::text, k);
    statement := format(
        'SELECT array_agg(n.id), array_agg(n.distance), array_agg(n.attributes) FROM (
             SELECT c.id, c.distance, c.attributes FROM (
                 SELECT r.id, r.attributes, $1 * (r.embedding::%1$s %2$s $2::%1$s) AS distance
                 FROM %%s AS r WHERE %3$s
                 %%s
             ) AS c ORDER BY c.distance, c.id LIMIT %4$s
         ) AS n', space.half, space.cosine, asked.condition, k);
    through_index := space.indexed AND k BETWEEN 1 AND 1000;
    IF through_index AND asked.path IS NOT NULL THEN
        SELECT greatest(t.reltuples, 1) AS rows,
               coalesce(s.match_us + s.distance_us, 0.8 + 0.0006 * space.dimensions) AS match_us,
               coalesce(s.candidate_us, 4 + 0.008 * space.dimensions) AS candidate_us
        INTO costs
        FROM pg_class AS t LEFT JOIN lookalike.search_costs AS s ON s.dimensions = space.dimensions
        WHERE t.oid = space.records::regclass;
        effort := least(1000, 150 * sqrt(greatest(1, costs.rows / 60000)));
        few := greatest(1000, k, sqrt(2.0 * k * costs.rows * costs.candidate_us / costs.match_us));
        expected := greatest(1, lookalike.expected_matches(space.records, asked.condition, asked.path));
        budget := greatest(200, 2 * k, ceil(2.0 * k * costs.rows / expected));
        IF 2 * budget * costs.candidate_us >= expected * costs.match_us THEN
            few := greatest(few, 2 * expected);
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s AS r WHERE %s LIMIT %s) AS m',
                           space.records, asked.condition, few + 1)
                INTO counted USING space.scale, vector, asked.path;
            through_index := counted > few;
            budget := greatest(200, 2 * k, ceil(2.0 * k * costs.rows / few));
        END IF;
    END IF;
    IF through_index THEN
        settings := ARRAY[current_setting('hnsw.iterative_scan'), current_setting('hnsw.ef_search'),
                          current_setting('hnsw.max_scan_tuples')];
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true),
                set_config('hnsw.ef_search', least(1000, greatest(settings[2]::integer, effort, k))::text, true),
                set_config('hnsw.max_scan_tuples', least(2147483647, 40 * budget)::text, true);
        EXECUTE format(
            statement,
            format('(SELECT w.* FROM %1$s AS w ORDER BY w.embedding::%2$s %3$s $2::%2$s LIMIT %4$s)',
                   space.records, space.half, space.cosine, budget),
            -- Between two batches of candidates the graph loses some: twice as many are found, the nearest kept.
            format('LIMIT %s', 2 * k::bigint))
            INTO ids, distances, found_attributes USING space.scale, vector, asked.path;
        PERFORM set_config('hnsw.iterative_scan', settings[1], true),
                set_config('hnsw.ef_search', settings[2], true),
                set_config('hnsw.max_scan_tuples', settings[3], true);
    END IF;
    IF coalesce(cardinality(ids), 0) < k THEN
        -- Never through the HNSW index, which orders by the distance without the scale: every match is compared.
        EXECUTE format(statement, space.records, format('ORDER BY distance, r.id LIMIT %s', k))
            INTO ids, distances, found_attributes USING space.scale, vector, asked.path;
    END IF;
    RETURN QUERY SELECT * FROM unnest(ids, distances, found_attributes);
END;
$$;

COMMENT ON FUNCTION lookalike.knn_vector(text, halfvec, integer, jsonb) IS
    'The k records of a collection nearest to a vector, among those that match a filter of the API''s language; distances '
    'on the API''s scale. Owner''s rights.';
