-- What the attributes of a record become when those of others are merged into it.
--
-- Arguments: the attributes of the record that is kept; a list of the others, each {"id": …, "attributes": {…}}, the first
--   of which wins where several have a value; rules, an object of attributes and what is done with each: "missing", taken
--   where the record has none; "union", lists are joined, each value once, and a value that is no list counts as a list of
--   one; "min", "max", the least or greatest number; "keep", the record's own. "*" is the rule of all others; without it
--   lists are joined and what is missing is taken. "_merged_ids": true keeps the ids of the others, and those that they
--   had kept, in the attribute of this name.
-- Result: the attributes. SQLSTATE 22023: an unknown rule, one of what is never merged (`_id`, `_expires_at`, and what no
--   record has as an attribute), another shape, or a NULL.
-- Rights: the caller's. Fixed search_path. Called by resolve_duplicates and by anyone.
CREATE OR REPLACE FUNCTION lookalike.merged_attributes(kept jsonb, others jsonb, rules jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    merged jsonb := kept;
    field text;
    rule text;
    given jsonb[];
    value jsonb;
BEGIN
    IF jsonb_typeof(kept) IS DISTINCT FROM 'object' OR jsonb_typeof(rules) IS DISTINCT FROM 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the attributes and the rules of a merge are objects';
    ELSIF jsonb_typeof(others) IS DISTINCT FROM 'array' OR others @? '$[*] ? (@.type() != "object" || !exists(@.id) || !exists(@.attributes))' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the others are a list, each {"id": ..., "attributes": {...}}';
    END IF;
    FOR field, rule IN SELECT r.key, r.value #>> '{}' FROM jsonb_each(rules) AS r WHERE r.key <> '_merged_ids' LOOP
        IF field = ANY (ARRAY['_id', '_expires_at', '_base64', '_box', '_reason']) OR starts_with(field, '$') THEN
            RAISE invalid_parameter_value USING MESSAGE = format('%s is never merged: it takes no rule', field);
        ELSIF rule IS NULL OR rule NOT IN ('missing', 'union', 'min', 'max', 'keep') THEN
            RAISE invalid_parameter_value USING MESSAGE = format(
                'the rule of %s is %L: it may be missing, union, min, max or keep', field, rule);
        END IF;
    END LOOP;
    IF coalesce(jsonb_typeof(rules -> '_merged_ids'), 'boolean') <> 'boolean' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the rule of _merged_ids is true or false';
    END IF;
    FOR field IN
        SELECT DISTINCT k.key FROM jsonb_array_elements(others) AS o, jsonb_object_keys(o -> 'attributes') AS k (key)
        WHERE k.key NOT IN ('_expires_at', '_merged_ids') ORDER BY k.key
    LOOP
        SELECT array_agg(g.value ORDER BY g.place) INTO given FROM (
            SELECT 0 AS place, kept -> field AS value
            UNION ALL
            SELECT o.place, o.one -> 'attributes' -> field
            FROM jsonb_array_elements(others) WITH ORDINALITY AS o (one, place)
        ) AS g WHERE g.value IS NOT NULL AND g.value <> 'null';
        CONTINUE WHEN given IS NULL;
        rule := coalesce(rules ->> field, rules ->> '*',
            CASE WHEN 'array' = ALL (SELECT jsonb_typeof(v) FROM unnest(given) AS v) THEN 'union' ELSE 'missing' END);
        IF rule = 'keep' THEN
            CONTINUE;
        ELSIF rule = 'union' THEN
            SELECT jsonb_agg(u.value ORDER BY u.place) INTO value FROM (
                SELECT e.value, min(v.place * 100000 + e.place) AS place
                FROM unnest(given) WITH ORDINALITY AS v (value, place)
                CROSS JOIN LATERAL jsonb_array_elements(
                    CASE jsonb_typeof(v.value) WHEN 'array' THEN v.value ELSE jsonb_build_array(v.value) END
                ) WITH ORDINALITY AS e (value, place)
                GROUP BY e.value
            ) AS u;
        ELSIF rule IN ('min', 'max') THEN
            SELECT CASE rule WHEN 'min' THEN to_jsonb(min(v::numeric)) ELSE to_jsonb(max(v::numeric)) END INTO value
            FROM unnest(given) AS v WHERE jsonb_typeof(v) = 'number';
        ELSE
            value := coalesce(nullif(kept -> field, 'null'), given[1]);
        END IF;
        IF value IS NOT NULL THEN
            merged := jsonb_set(merged, ARRAY[field], value);
        END IF;
    END LOOP;
    IF (rules -> '_merged_ids')::boolean THEN
        SELECT jsonb_agg(i.id ORDER BY i.id) INTO value FROM (
            SELECT k.id FROM jsonb_array_elements_text(
                CASE jsonb_typeof(kept -> '_merged_ids') WHEN 'array' THEN kept -> '_merged_ids' ELSE '[]' END) AS k (id)
            UNION
            SELECT o ->> 'id' FROM jsonb_array_elements(others) AS o
            UNION
            SELECT k.id FROM jsonb_array_elements(others) AS o, jsonb_array_elements_text(
                CASE jsonb_typeof(o -> 'attributes' -> '_merged_ids')
                WHEN 'array' THEN o -> 'attributes' -> '_merged_ids' ELSE '[]' END) AS k (id)
        ) AS i;
        merged := jsonb_set(merged, '{_merged_ids}', value);
    END IF;
    RETURN merged;
END;
$$;

COMMENT ON FUNCTION lookalike.merged_attributes(jsonb, jsonb, jsonb) IS
    'The attributes of a record with those of others merged into them, by rules. Caller''s rights.';
