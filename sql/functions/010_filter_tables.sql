-- The tables of the filter language: its operators, the texts of its conditions, types.
--
-- Results: `filter_operator_table`: an operator a row; `level` is where it stands, `takes_object` whether an object is
--   a sensible operand. `filter_fragment`: the jsonpath of a condition, for format(): %1$s the value, %2$s the
--   literal, %3$s the operator. `filter_type_named`: the JSON type that a name or code means, '' for one that JSON
--   cannot hold, NULL for an unknown one.
-- Generated from app/filters by `lookalike sql sync`; never edited by hand.
-- Rights: the caller's; the names in the bodies were resolved when they were made. Called by the functions on filters.

CREATE OR REPLACE FUNCTION lookalike.filter_operator_table() RETURNS TABLE (name text, level text, takes_object boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT o.name, o.level, o.takes_object FROM (VALUES
        ('$eq', 'field', TRUE),
        ('$ne', 'field', TRUE),
        ('$gt', 'field', FALSE),
        ('$gte', 'field', FALSE),
        ('$lt', 'field', FALSE),
        ('$lte', 'field', FALSE),
        ('$in', 'field', FALSE),
        ('$nin', 'field', FALSE),
        ('$not', 'field', TRUE),
        ('$exists', 'field', TRUE),
        ('$type', 'field', FALSE),
        ('$size', 'field', FALSE),
        ('$all', 'field', FALSE),
        ('$elemMatch', 'field', TRUE),
        ('$regex', 'field', FALSE),
        ('$options', 'field', FALSE),
        ('$mod', 'field', FALSE),
        ('$and', 'filter', FALSE),
        ('$or', 'filter', FALSE),
        ('$nor', 'filter', FALSE)
    ) AS o (name, level, takes_object);
END;

COMMENT ON FUNCTION lookalike.filter_operator_table() IS
    'Internal: the operators of filters. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_fragment(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN 'element.equals.null' THEN '%1$s.type() == "null"'
    WHEN 'field.equals.null' THEN '(%1$s == null || !exists(%1$s))'
    WHEN 'element.equals.string' THEN '(%1$s.type() == "string" && %1$s == %2$s)'
    WHEN 'field.equals.string' THEN '%1$s == %2$s'
    WHEN 'element.compare.string' THEN '(%1$s.type() == "string" && %1$s %3$s %2$s)'
    WHEN 'field.compare.string' THEN '%1$s %3$s %2$s'
    WHEN 'element.equals.number' THEN '(%1$s.type() == "number" && %1$s == %2$s)'
    WHEN 'field.equals.number' THEN '%1$s == %2$s'
    WHEN 'element.compare.number' THEN '(%1$s.type() == "number" && %1$s %3$s %2$s)'
    WHEN 'field.compare.number' THEN '%1$s %3$s %2$s'
    WHEN 'element.equals.boolean' THEN '(%1$s.type() == "boolean" && %1$s == %2$s)'
    WHEN 'field.equals.boolean' THEN '%1$s == %2$s'
    WHEN 'element.compare.boolean' THEN '(%1$s.type() == "boolean" && %1$s %3$s %2$s)'
    WHEN 'field.compare.boolean' THEN '%1$s %3$s %2$s'
    WHEN 'element.exists' THEN 'exists(%1$s)'
    WHEN 'element.size' THEN '(%1$s.type() == "array" && %1$s.size() == %2$s)'
    WHEN 'element.elem.documents' THEN '(%1$s.type() == "array" && exists(%1$s ? (@.type() == "object" && %2$s)))'
    WHEN 'element.elem.values' THEN '(%1$s.type() == "array" && exists(%1$s ? (%2$s)))'
    WHEN 'element.mod' THEN '(%1$s.type() == "number" && (%1$s >= 0 && %1$s < 9223372036854775808 && %1$s.floor() %% %2$s == %3$s || %1$s < 0 && %1$s > -9223372036854775809 && %1$s.ceiling() %% %2$s == %3$s))'
    WHEN 'element.regex.false' THEN '(%1$s.type() == "string" && %1$s like_regex %2$s flag "s")'
    WHEN 'field.regex.false' THEN '%1$s like_regex %2$s flag "s"'
    WHEN 'element.regex.true' THEN '(%1$s.type() == "string" && %1$s like_regex %2$s flag "is")'
    WHEN 'field.regex.true' THEN '%1$s like_regex %2$s flag "is"'
    WHEN 'type.null' THEN '%1$s.type() == "null"'
    WHEN 'type.boolean' THEN '%1$s.type() == "boolean"'
    WHEN 'type.number' THEN '%1$s.type() == "number"'
    WHEN 'type.int' THEN '(%1$s.type() == "number" && %1$s.floor() == %1$s && %1$s >= -9223372036854775808 && %1$s <= 9223372036854775807 && %1$s >= -2147483648 && %1$s <= 2147483647)'
    WHEN 'type.long' THEN '(%1$s.type() == "number" && %1$s.floor() == %1$s && %1$s >= -9223372036854775808 && %1$s <= 9223372036854775807 && !(%1$s >= -2147483648 && %1$s <= 2147483647))'
    WHEN 'type.double' THEN '(%1$s.type() == "number" && !(%1$s.floor() == %1$s && %1$s >= -9223372036854775808 && %1$s <= 9223372036854775807))'
    WHEN 'type.string' THEN '%1$s.type() == "string"'
    WHEN 'type.object' THEN '%1$s.type() == "object"'
    WHEN 'type.array' THEN '%1$s.type() == "array"'
    WHEN 'predicate.not' THEN '!exists(@ ? (%1$s))'
END;

COMMENT ON FUNCTION lookalike.filter_fragment(text) IS
    'Internal: the jsonpath of a condition, by name. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_type_named(name jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN '"number"' THEN 'number'
    WHEN '"double"' THEN 'double'
    WHEN '1' THEN 'double'
    WHEN '"string"' THEN 'string'
    WHEN '2' THEN 'string'
    WHEN '"object"' THEN 'object'
    WHEN '3' THEN 'object'
    WHEN '"array"' THEN 'array'
    WHEN '4' THEN 'array'
    WHEN '"binData"' THEN ''
    WHEN '5' THEN ''
    WHEN '"undefined"' THEN ''
    WHEN '6' THEN ''
    WHEN '"objectId"' THEN ''
    WHEN '7' THEN ''
    WHEN '"bool"' THEN 'boolean'
    WHEN '8' THEN 'boolean'
    WHEN '"date"' THEN ''
    WHEN '9' THEN ''
    WHEN '"null"' THEN 'null'
    WHEN '10' THEN 'null'
    WHEN '"regex"' THEN ''
    WHEN '11' THEN ''
    WHEN '"dbPointer"' THEN ''
    WHEN '12' THEN ''
    WHEN '"javascript"' THEN ''
    WHEN '13' THEN ''
    WHEN '"symbol"' THEN ''
    WHEN '14' THEN ''
    WHEN '"javascriptWithScope"' THEN ''
    WHEN '15' THEN ''
    WHEN '"int"' THEN 'int'
    WHEN '16' THEN 'int'
    WHEN '"timestamp"' THEN ''
    WHEN '17' THEN ''
    WHEN '"long"' THEN 'long'
    WHEN '18' THEN 'long'
    WHEN '"decimal"' THEN ''
    WHEN '19' THEN ''
    WHEN '"minKey"' THEN ''
    WHEN '-1' THEN ''
    WHEN '"maxKey"' THEN ''
    WHEN '127' THEN ''
END;

COMMENT ON FUNCTION lookalike.filter_type_named(jsonb) IS
    'Internal: the JSON type that $type names, by name. Caller''s rights.';
