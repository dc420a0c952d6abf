-- All pairs of records of a collection that show the same picture: what allNearDupPairs answers, in SQL.
--
-- Arguments: the name of the collection; the radius on the API's scale, itself within; a filter in the API's language that
--   both records of a pair must match, NULL or '{}' for none.
-- Result: each pair once, the lesser id first, nearest pairs first. SQLSTATE P0002: no such collection; 22023: a filter
--   that the API refuses. No rows where the collection or the radius is NULL.
-- Index: with an HNSW index, the neighbours of each matching record are read from it, more of them while the farthest is
--   still within the radius; a pair may be found from either side (recall .998 of 60,000 records, 0.5 ms a record). Without
--   one, every pair is compared, which is complete, and quadratic: 10,000 records take some 20 seconds.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. PARALLEL
--   UNSAFE, as it sets hnsw.* for its own queries. Called by anyone.
CREATE OR REPLACE FUNCTION lookalike.near_duplicate_pairs(
    collection text, radius double precision DEFAULT 5.0, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, other_id text, distance double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER
ROWS 1000 COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    asked record;
    settings text[];
    one record;
    reach integer;
    near record;
    nearest text;
    records text;
    in_graph text;
    crowded boolean;
    ones text[] := '{}';
    others text[] := '{}';
    distances double precision[] := '{}';
BEGIN
    IF collection IS NULL OR radius IS NULL THEN
        RETURN;
    END IF;
    space := lookalike.collection_space(collection);
    records := lookalike.unexpired(space.id, space.records);
    asked := lookalike.filter_compiled(filter);
    IF NOT space.indexed THEN
        RETURN QUERY EXECUTE format(
            'WITH m AS MATERIALIZED (SELECT r.id, r.embedding::%1$s AS e FROM %3$s AS r WHERE %4$s)
             SELECT p.id, p.other_id, p.distance FROM (
                 SELECT a.id, b.id AS other_id, $1 * (a.e %2$s b.e) AS distance FROM m AS a JOIN m AS b ON a.id < b.id
             ) AS p WHERE p.distance <= $2 ORDER BY p.distance, p.id, p.other_id',
            space.half, space.cosine, records, asked.condition)
            USING space.scale, radius, asked.path;
        RETURN;
    END IF;
    -- Those in crowds stand beside the index: each has the pairs of its crowd's vector.
    crowded := lookalike.is_crowded(split_part(space.records, '.', 2));
    in_graph := CASE WHEN crowded THEN format('(SELECT g.* FROM %s AS g WHERE g.crowd IS NULL)', records) ELSE records END;
    nearest := format(
        'SELECT array_agg(n.id) AS ids, array_agg(n.distance) AS distances, array_agg(n.matching) AS matching,
                count(*) AS found, max(n.distance) AS farthest
         FROM (SELECT r.id, %4$s AS matching, $1 * (r.embedding::%1$s %2$s $2::%1$s) AS distance FROM %3$s AS r
               ORDER BY %%s LIMIT %%s) AS n', space.half, space.cosine, in_graph, asked.condition);
    -- The settings are known once the extension is loaded, which any value of its does.
    EXECUTE format('SELECT ''[1]''::%s.halfvec', space.pgvector);
    settings := ARRAY[current_setting('hnsw.iterative_scan'), current_setting('hnsw.ef_search')];
    PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true);
    FOR one IN EXECUTE format('SELECT r.id, r.embedding FROM %s AS r WHERE %s', in_graph, asked.condition)
        USING space.scale, space.id, asked.path
    LOOP
        reach := 20;
        LOOP
            PERFORM set_config('hnsw.ef_search', greatest(reach, 40)::text, true);
            EXECUTE format(nearest, format('r.embedding::%1$s %2$s $2::%1$s', space.half, space.cosine), reach)
                INTO near USING space.scale, one.embedding, asked.path;
            EXIT WHEN near.found < reach OR near.farthest > radius;
            reach := reach * 7;
            IF reach > 1000 THEN  -- more duplicates than the graph is walked for: compare them all
                EXECUTE format(nearest, '1', 'ALL') INTO near USING space.scale, one.embedding, asked.path;
                EXIT;
            END IF;
        END LOOP;
        SELECT ones || coalesce(array_agg(least(n.id, one.id COLLATE "C")), '{}'),
               others || coalesce(array_agg(greatest(n.id, one.id COLLATE "C")), '{}'),
               distances || coalesce(array_agg(n.distance), '{}')
        INTO ones, others, distances
        FROM unnest(near.ids, near.distances, near.matching) AS n (id, distance, matching)
        WHERE n.matching AND n.distance <= radius AND n.id <> one.id;
    END LOOP;
    PERFORM set_config('hnsw.iterative_scan', settings[1], true), set_config('hnsw.ef_search', settings[2], true);
    IF crowded THEN
        EXECUTE format(
            'SELECT $4 || coalesce(array_agg(least(m.id, n.id)), ''{}''), $5 || coalesce(array_agg(greatest(m.id, n.id)), ''{}''),
                    $6 || coalesce(array_agg(n.distance), ''{}'')
             FROM (
                 SELECT c.digest, r.id, $1 * (r.embedding::%1$s %2$s c.embedding::%1$s) AS distance
                 FROM lookalike.crowds AS c CROSS JOIN %3$s AS r WHERE c.records_table = $7 AND (%4$s)
             ) AS n
             JOIN (SELECT r.id, r.crowd FROM %3$s AS r WHERE r.crowd IS NOT NULL AND (%4$s)) AS m ON m.crowd = n.digest
             WHERE n.distance <= $2 AND m.id <> n.id',
            space.half, space.cosine, records, asked.condition)
            INTO ones, others, distances
            USING space.scale, radius, asked.path, ones, others, distances, split_part(space.records, '.', 2);
    END IF;
    RETURN QUERY
        SELECT p.one, p.other, min(p.distance) FROM unnest(ones, others, distances) AS p (one, other, distance)
        GROUP BY p.one, p.other ORDER BY 3, p.one COLLATE "C", p.other COLLATE "C";
END;
$$;

COMMENT ON FUNCTION lookalike.near_duplicate_pairs(text, double precision, jsonb) IS
    'All pairs of records within a radius (on the API''s scale), each once, nearest first, among those that match a filter '
    'of the API''s language. Owner''s rights.';
