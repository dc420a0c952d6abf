-- Whether a record matches a filter in the API's language.
--
-- Arguments: the record's attributes; the filter, as sent to the API; for filters on `_id`, the record's id as well.
-- Result: true or false, as the API decides; NULL where an argument is NULL. SQLSTATE 22023 for what the API refuses.
-- Index: with a constant filter it is inlined and folded to `attributes @? '…'::jsonpath`, which GIN on attributes serves
--   and the planner estimates. A filter that differs from row to row is translated for each row, some 0.2 to 1 ms: join
--   with lookalike.filter_path(filter), computed once, in its place.
-- Rights: the caller's. No search_path, which would block inlining; the names in the body were resolved when it was made.
CREATE OR REPLACE FUNCTION lookalike.matches(attributes jsonb, filter jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN attributes OPERATOR(pg_catalog.@?) lookalike.filter_path(filter);

COMMENT ON FUNCTION lookalike.matches(jsonb, jsonb) IS
    'Whether attributes match a filter of the API''s language; served by the GIN index. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.matches(attributes jsonb, filter jsonb, id text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (attributes OPERATOR(pg_catalog.||) jsonb_build_object('_id', id))
    OPERATOR(pg_catalog.@?) coalesce((lookalike.filter_compiled(filter)).path, '$');

COMMENT ON FUNCTION lookalike.matches(jsonb, jsonb, text) IS
    'Whether a record matches a filter of the API''s language that may ask of its _id. Caller''s rights.';
