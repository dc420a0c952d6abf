-- Pieces of jsonpath: parts joined by && and ||, and the choice of one among many values.
--
-- `filter_join` joins predicates, long lists in balanced parentheses, as PostgreSQL's stack grows with the depth of an
-- expression; of nothing it is a constant. `filter_any` is the same for ||, in parentheses. `filter_tree` is "the value
-- equals one of these", a decision tree over sorted literals of one type: a dozen comparisons, whatever their number.
-- Rights: the caller's; every name is resolved when the function is made. Called by the functions that write filters.
CREATE OR REPLACE FUNCTION lookalike.filter_join(parts text[], word text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN pg_catalog.cardinality(parts) = 0 THEN CASE word WHEN '&&' THEN '1 == 1' ELSE '1 == 0' END
        WHEN pg_catalog.cardinality(parts) <= 50 THEN pg_catalog.array_to_string(parts, ' ' || word || ' ')
        ELSE '(' || lookalike.filter_join(parts[: pg_catalog.cardinality(parts) / 2], word) || ') ' || word
            || ' (' || lookalike.filter_join(parts[pg_catalog.cardinality(parts) / 2 + 1 :], word) || ')'
    END
$$;

COMMENT ON FUNCTION lookalike.filter_join(text[], text) IS
    'Internal: joins predicates of jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_any(parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cardinality(parts) > 1 THEN '(' || lookalike.filter_join(parts, '||') || ')'
            ELSE lookalike.filter_join(parts, '||') END;

COMMENT ON FUNCTION lookalike.filter_any(text[]) IS
    'Internal: joins predicates of jsonpath by or, in parentheses. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_tree(value text, literals text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    middle constant integer := cardinality(literals) / 2;
BEGIN
    IF cardinality(literals) <= 3 THEN
        RETURN lookalike.filter_any(ARRAY(SELECT value || ' == ' || l FROM unnest(literals) AS l));
    END IF;
    RETURN format('(%1$s < %2$s && %3$s || %1$s >= %2$s && %4$s)', value, literals[middle + 1],
                  lookalike.filter_tree(value, literals[:middle]), lookalike.filter_tree(value, literals[middle + 1:]));
END;
$$;

COMMENT ON FUNCTION lookalike.filter_tree(text, text[]) IS
    'Internal: a decision tree over literals of one type, as jsonpath. Caller''s rights.';
