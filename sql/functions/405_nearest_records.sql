-- The records nearest to a vector, and whether a record that is asked for is among them: the work of knn and knn_vector.
--
-- Arguments: the name of the collection; a vector of its dimension; how many records, 0 to 100,000; a filter in the API's
--   language, NULL or '{}' for none; the id of the stored record whose vector it is, NULL where it is none.
-- Result, errors: as lookalike.knn_vector.
-- The rule is the API's (app/search/plan.py), with the same figures (404_search_rule.sql), but as if an index found the
--   matches. The HNSW index is walked at once where that is expected to cost seven tenths as much as comparing the
--   matches, or less. Else they are counted up to a bound, or twice as many as the planner expects; within that all are
--   compared. A walk keeps what matches of the nearest records, so that nothing nearer was passed over.
--   The list is climbed in rungs (app/search/ladder.py): each has a fixed number of candidates and an effort of its own, and
--   gives those between the edge of the rung before and its own, so the first rows are the same for any k. What the rungs
--   do not give follows by exact distance. All is compared where a rung has too few candidates, more than twenty of them lie
--   at one distance, or the record that is asked for matches and is not found.
--   Records that stand beside the index, in crowds, are read of those crowds that reach into the list, and join it.
-- Index: the partition's HNSW index; the effort is hnsw.ef_search, or that of the API's searches by the measured recall.
-- Rights: the caller's. Fixed search_path. PARALLEL UNSAFE, as it sets hnsw.* for its own query. Called by knn and
--   knn_vector; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.nearest_records(
    collection text, vector halfvec, k integer, filter jsonb, asked_for text
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE plpgsql STABLE
ROWS 30 COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record; asked record; statement text;
    costs record; measured record;
    few bigint; counted bigint; expected bigint; climbing boolean; rows_per_match double precision := 0;
    effort integer := 100 * lookalike.search_figure('effort');
    most constant integer := lookalike.search_figure('effort_max'); visits constant integer := lookalike.search_figure('visits');
    slack constant double precision := lookalike.search_figure('slack');
    keeps integer[] := lookalike.search_rungs('keep'); offered integer[] := lookalike.search_rungs('candidates');
    candidates integer; budget bigint; settings text[];
    edge double precision := '-infinity';
    beyond double precision; doubtful boolean; crowded boolean;
    alike constant integer := lookalike.search_figure('alike');
    near_ids text[]; records text; walked text;
    near_distances double precision[]; near_attributes jsonb[];
    ids text[] := '{}'; distances double precision[] := '{}'; found_attributes jsonb[] := '{}';
BEGIN
    IF collection IS NULL OR vector IS NULL OR k IS NULL THEN
        RETURN;
    END IF;
    space := lookalike.collection_space(collection);
    records := lookalike.unexpired(space.id, space.records);
    asked := lookalike.filter_compiled(filter);
    PERFORM lookalike.check_query(space.dimensions, vector::text, k);
    statement := format(
        'SELECT array_agg(n.id), array_agg(n.distance), array_agg(n.attributes) FROM (
             SELECT c.id, c.distance, c.attributes FROM (
                 SELECT r.id, r.attributes, $1 * (r.embedding::%1$s %2$s $2::%1$s) AS distance
                 FROM %%s AS r WHERE (%3$s)
                 %%s
             ) AS c ORDER BY c.distance, c.id
         ) AS n', space.half, space.cosine, asked.condition);
    climbing := space.indexed AND k > 0;
    crowded := lookalike.is_crowded(split_part(space.records, '.', 2));
    walked := format('(SELECT w.* FROM %1$s AS w WHERE %4$s ORDER BY w.embedding::%2$s %3$s $2::%2$s LIMIT %%s)',
                     records, space.half, space.cosine, CASE WHEN crowded THEN 'w.crowd IS NULL' ELSE 'true' END);
    SELECT m.effort, m.effort_deep, m.effort_matches INTO measured
    FROM pg_class AS i JOIN lookalike.index_recall AS m ON m.index_name = i.relname::text
    WHERE i.oid = to_regclass(space.records || '_hnsw') AND m.build = pg_relation_filenode(i.oid)::bigint;
    effort := coalesce(measured.effort, effort);
    IF climbing AND asked.path IS NOT NULL THEN
        keeps := lookalike.search_rungs('keep_matches');
        offered := lookalike.search_rungs('candidates_matches');
        SELECT greatest(t.reltuples, 1) AS rows, coalesce(s.match_us + s.distance_us, u.match_us) AS match_us,
               coalesce(s.candidate_us, u.candidate_us) AS candidate_us
        INTO costs
        FROM lookalike.usual_search_costs(space.dimensions) AS u, pg_class AS t
        LEFT JOIN lookalike.search_costs AS s ON s.dimensions = space.dimensions
        WHERE t.oid = space.records::regclass;
        effort := coalesce(measured.effort_matches, least(
            most, effort * sqrt(greatest(1, costs.rows / lookalike.search_figure('effort_rows')))));
        budget := slack * lookalike.search_figure('ranks');
        few := sqrt(budget * costs.rows * costs.candidate_us / costs.match_us);
        few := greatest(lookalike.search_figure('bound_at_least'), few);
        expected := greatest(1, lookalike.expected_matches(records, asked.condition, asked.path));
        rows_per_match := costs.rows / expected;
        IF greatest(effort, budget * rows_per_match) * costs.candidate_us
           >= lookalike.search_figure('hope') * expected * costs.match_us THEN
            few := greatest(few, lookalike.search_figure('doubt') * expected);
            EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s AS r WHERE %s LIMIT %s) AS m',
                           records, asked.condition, few + 1)
                INTO counted USING space.scale, vector, asked.path;
            climbing := counted > few;
            rows_per_match := costs.rows / few;
        END IF;
    END IF;
    IF climbing THEN
        settings := ARRAY[current_setting('hnsw.iterative_scan'), current_setting('hnsw.ef_search'),
                          current_setting('hnsw.max_scan_tuples')];
        effort := greatest(settings[2]::integer, effort);
        FOR rung IN 1 .. cardinality(keeps) LOOP
            candidates := offered[rung];
            budget := greatest(candidates, effort * (asked.path IS NOT NULL)::integer, slack * keeps[rung] * rows_per_match);
            PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', least(
                        most, greatest(
                            effort, CASE WHEN asked.path IS NOT NULL THEN keeps[rung]
                                    WHEN rung = 1 THEN candidates ELSE greatest(candidates, measured.effort_deep) END
                        ))::text, true),
                    set_config('hnsw.max_scan_tuples', least(2147483647, visits * budget)::bigint::text, true);
            EXECUTE format(statement, format(walked, budget), format('LIMIT %s', candidates))
                INTO near_ids, near_distances, near_attributes USING space.scale, vector, asked.path;
            doubtful := EXISTS (SELECT FROM generate_subscripts(near_distances, 1) AS i
                                WHERE near_distances[i] = near_distances[i + alike]);
            EXIT WHEN doubtful OR coalesce(cardinality(near_ids), 0) <= keeps[rung];
            beyond := near_distances[keeps[rung] + 1];
            SELECT ids || coalesce(array_agg(n.id ORDER BY n.place), '{}'),
                   distances || coalesce(array_agg(n.distance ORDER BY n.place), '{}'),
                   found_attributes || coalesce(array_agg(n.attributes ORDER BY n.place), '{}')
            INTO ids, distances, found_attributes
            FROM unnest(near_ids, near_distances, near_attributes) WITH ORDINALITY AS n (id, distance, attributes, place)
            WHERE n.distance >= edge AND n.distance < beyond AND n.place <= keeps[rung];
            edge := greatest(edge, beyond);
            EXIT WHEN cardinality(ids) >= k;
        END LOOP;
        PERFORM set_config('hnsw.iterative_scan', settings[1], true), set_config('hnsw.ef_search', settings[2], true),
                set_config('hnsw.max_scan_tuples', settings[3], true);
        IF crowded AND NOT doubtful AND edge > '-infinity' THEN
            SELECT w.ids, w.distances, w.found_attributes INTO ids, distances, found_attributes
            FROM lookalike.with_crowds(collection, vector, k, filter, edge, ids, distances, found_attributes) AS w;
        END IF;
        IF NOT doubtful AND asked_for <> ALL (ids) AND cardinality(ids) > 0 THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s AS r WHERE r.collection_id = $2 AND r.id = $1 AND (%s)%s)',
                           records, asked.condition, CASE WHEN crowded THEN ' AND r.crowd IS NULL' ELSE '' END)
                INTO doubtful USING asked_for, space.id, asked.path;
        END IF;
        IF doubtful THEN  -- the index is not to be trusted
            SELECT '{}', '{}', '{}' INTO ids, distances, found_attributes;
        END IF;
    END IF;
    IF cardinality(ids) < k THEN
        -- Never through the HNSW index, which orders by the distance without the scale: every match is compared.
        EXECUTE format(
            statement, records, format('AND r.id <> ALL ($4) ORDER BY distance, r.id LIMIT %s', k - cardinality(ids)))
            INTO near_ids, near_distances, near_attributes USING space.scale, vector, asked.path, ids;
        SELECT ids || near_ids, distances || near_distances, found_attributes || near_attributes
        INTO ids, distances, found_attributes;
    END IF;
    RETURN QUERY SELECT p.id, p.distance, p.attributes FROM (
        SELECT n.id, n.distance, n.attributes
        FROM unnest(ids, distances, found_attributes) WITH ORDINALITY AS n (id, distance, attributes, place)
        WHERE n.place <= k
    ) AS p ORDER BY p.distance, p.id COLLATE "C";
END;
$$;

COMMENT ON FUNCTION lookalike.nearest_records(text, halfvec, integer, jsonb, text) IS
    'Internal: the k nearest records to a vector, for the functions that search. Caller''s rights.';
