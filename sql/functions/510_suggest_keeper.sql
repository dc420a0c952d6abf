-- Suggests which record of a group of duplicates is kept, by rules in their order: each leaves those that fit it best, until
-- one is left.
--
-- Arguments: the name of the collection; the ids; the rules, a list of: "largest_picture" (bytes of the picture that was
--   kept), "most_attributes", "oldest", "newest", {"lowest": FIELD}, {"highest": FIELD} (numbers), {"prefix": TEXT} (of the
--   _id), {"prefer": {"field": FIELD, "values": [best, next, …]}}.
-- Result: the id of the one to keep, and the rule that decided; "first_id" where none did. No row where there
--   are no rules, or none of the records is stored. SQLSTATE P0002: no such collection; 22023: no list, more than 50, or an unknown rule, whose place the message names.
-- Rights: the owner's, so that lookalike_reader may ask. Fixed search_path. Called by the server and by anyone.
CREATE OR REPLACE FUNCTION lookalike.suggest_keeper(collection text, members text[], rules jsonb)
RETURNS TABLE (id text, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    best text[];
    left_over text[];
    rule jsonb;
    kind text;
    place integer := 0;
    decided text := 'first_id';
    score text;
BEGIN
    IF rules IS NULL THEN
        RETURN;
    ELSIF jsonb_typeof(rules) <> 'array' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'rules is a list, as in ["largest_picture", {"lowest": "price"}]';
    END IF;
    IF jsonb_array_length(rules) > 50 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'rules are at most 50';
    END IF;
    space := lookalike.collection_space(collection);
    EXECUTE format('SELECT array_agg(r.id ORDER BY r.id) FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2)',
                   lookalike.unexpired(space.id, space.records)) INTO best USING space.id, members;
    FOR rule IN SELECT r.value FROM jsonb_array_elements(rules) AS r LOOP
        kind := CASE WHEN jsonb_typeof(rule) = 'string' THEN rule #>> '{}'
                     WHEN jsonb_typeof(rule) = 'object' AND (SELECT count(*) FROM jsonb_object_keys(rule)) = 1
                     THEN (SELECT k FROM jsonb_object_keys(rule) AS k) END;
        score := CASE
            WHEN jsonb_typeof(rule) = 'string' THEN CASE kind
                WHEN 'largest_picture' THEN format(
                    '(SELECT octet_length(o.picture) FROM lookalike.%I AS o
                      WHERE o.collection_id = r.collection_id AND o.id = r.id)', format('originals_%s', space.id))
                WHEN 'most_attributes' THEN
                    '(SELECT count(*) FROM jsonb_each(r.attributes) AS a WHERE a.value <> ''null'' AND a.key NOT LIKE ''\_%'')'
                WHEN 'oldest' THEN '-extract(epoch FROM r.created_at)'
                WHEN 'newest' THEN 'extract(epoch FROM r.created_at)' END
            WHEN kind IN ('lowest', 'highest') AND jsonb_typeof(rule -> kind) = 'string' THEN format(
                '%sCASE jsonb_typeof(r.attributes -> %L) WHEN ''number'' THEN (r.attributes -> %2$L)::numeric END',
                CASE kind WHEN 'lowest' THEN '-' ELSE '' END, rule ->> kind)
            WHEN kind = 'prefix' AND jsonb_typeof(rule -> kind) = 'string' THEN
                format('nullif(starts_with(r.id, %L), false)::integer', rule ->> kind)
            WHEN kind = 'prefer' AND jsonb_typeof(rule #> '{prefer,field}') = 'string'
                AND jsonb_typeof(rule #> '{prefer,values}') = 'array' THEN format(
                '-(SELECT min(v.place) FROM jsonb_array_elements(%L::jsonb) WITH ORDINALITY AS v (value, place)
                   WHERE r.attributes -> %L @> v.value)', rule #> '{prefer,values}', rule #>> '{prefer,field}')
        END;
        IF score IS NULL THEN
            RAISE invalid_parameter_value USING MESSAGE = format(
                'rules[%s] is no rule: largest_picture, most_attributes, oldest, newest, {"lowest": FIELD}, '
                '{"highest": FIELD}, {"prefix": TEXT} or {"prefer": {"field": FIELD, "values": [...]}}', place);
        END IF;
        place := place + 1;
        CONTINUE WHEN cardinality(best) < 2;
        EXECUTE format(
            'SELECT array_agg(q.id ORDER BY q.id) FROM (
                 SELECT s.id, s.score, max(s.score) OVER () AS highest FROM (
                     SELECT r.id, %s AS score FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2)
                 ) AS s
             ) AS q WHERE q.score = q.highest', score, space.records)
            INTO left_over USING space.id, best;
        IF cardinality(left_over) < cardinality(best) THEN
            best := left_over;
            decided := CASE WHEN jsonb_typeof(rule) = 'string' THEN kind ELSE rule::text END;
        END IF;
    END LOOP;
    IF best IS NOT NULL THEN
        RETURN QUERY SELECT best[1], CASE WHEN cardinality(best) = 1 THEN decided ELSE 'first_id' END;
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.suggest_keeper(text, text[], jsonb) IS
    'Suggests which record of a group of duplicates is kept, by rules in their order, and says which decided. Owner''s rights.';
