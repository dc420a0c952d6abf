-- A vector to search for by an HNSW index, with the effort of the search: what sets hnsw.* where the index is read.
--
-- Arguments: the vector; hnsw.ef_search and hnsw.max_scan_tuples, as text.
-- Result: the vector. The settings hold for the rest of the transaction there.
-- Citus sends a statement to its workers, but no setting of the session along with it; what stands in ORDER BY is reckoned by
--   each worker, before it reads its index. The function is STABLE for that: by a VOLATILE one no index is read.
-- Rights: the caller's.
-- Called by queries on collections that are spread; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.at_effort(point halfvec, effort text, visits text) RETURNS halfvec
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF current_setting('hnsw.ef_search') <> effort OR current_setting('hnsw.max_scan_tuples') <> visits
        OR current_setting('hnsw.iterative_scan') <> 'relaxed_order'
    THEN
        PERFORM set_config('hnsw.ef_search', effort, true), set_config('hnsw.max_scan_tuples', visits, true),
            set_config('hnsw.iterative_scan', 'relaxed_order', true);
    END IF;
    RETURN point;
END;
$$;

COMMENT ON FUNCTION lookalike.at_effort(halfvec, text, text) IS
    'Internal: a vector to search for, with the effort of the search. Caller''s rights.';
