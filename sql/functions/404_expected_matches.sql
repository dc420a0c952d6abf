-- How many records of a partition the planner expects to match a filter, by its statistics; it reads no record.
--
-- Arguments: the partition's quoted name; the condition on a row `r`, with the path as $3 (see filter_compiled); the path.
-- Result: a number of rows; a guess of 1 in 100 where the table was never analysed.
-- Rights: the caller's. Fixed search_path. VOLATILE, as PostgreSQL wants of a function that runs EXPLAIN. Called by
-- nearest_records with text that it made itself; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.expected_matches(records text, condition text, path jsonpath) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM %s AS r WHERE %s', records, condition)
        INTO plan USING NULL::text, NULL::text, path;
    plan := plan -> 0 -> 'Plan';
    IF plan -> 'Distributed Query' IS NOT NULL THEN
        -- Citus itself expects 100,000, whatever the condition: what one worker expects of its table, for all of them.
        plan := plan -> 'Distributed Query' -> 'Job';
        RETURN (plan ->> 'Task Count')::bigint * (plan #>> '{Tasks,0,Remote Plan,0,0,Plan,Plan Rows}')::bigint;
    END IF;
    RETURN (plan ->> 'Plan Rows')::bigint;
END;
$$;

COMMENT ON FUNCTION lookalike.expected_matches(text, text, jsonpath) IS
    'Internal: how many records the planner expects to match a filter. Caller''s rights.';
