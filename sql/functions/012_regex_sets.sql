-- Sets of characters and escapes in regular expressions: app/filters/regexclasses.py and the like.
--
-- A set is an int4multirange of code points, 1 to 0x10FFFF. `regex_character` writes one so that it is plain in and outside
-- of brackets. `regex_set_text` writes a set; one without upper end as what it leaves out, so that it stays that when case
-- is ignored. `regex_escape` reads what follows a backslash at `at`: a set (\d \D \w \W \s \S) or the code of a character.
-- Rights: the caller's. Fixed search_path. Called by regex_bracket and regex_translated.
CREATE OR REPLACE FUNCTION lookalike.regex_refuse(message text, at integer, place text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lookalike.filter_refuse(
        pg_catalog.format('%s (near character %s of the regular expression)', message, at), place);
END;
$$;

COMMENT ON FUNCTION lookalike.regex_refuse(text, integer, text) IS
    'Internal: raises the error of a regular expression that is refused. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_character(code integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN code BETWEEN 48 AND 57 OR code BETWEEN 65 AND 90 OR code BETWEEN 97 AND 122 THEN chr(code)
    WHEN code <= 65535 THEN '\u' || lpad(to_hex(code), 4, '0')
    ELSE '\U' || lpad(to_hex(code), 8, '0')
END;

COMMENT ON FUNCTION lookalike.regex_character(integer) IS
    'Internal: one character of a regular expression, taken literally. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_set_text(chars int4multirange) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everything constant int4multirange := '{[1,1114111]}';
    open_end constant boolean := chars @> 1114111;
BEGIN
    IF chars = everything THEN
        RETURN '.';
    END IF;
    RETURN CASE WHEN open_end THEN '[^' ELSE '[' END || (
        SELECT string_agg(
            lookalike.regex_character(lower(r))
                || CASE WHEN upper(r) - lower(r) > 1 THEN '-' || lookalike.regex_character(upper(r) - 1) ELSE '' END,
            '' ORDER BY lower(r))
        FROM unnest(CASE WHEN open_end THEN everything - chars ELSE chars END) AS r) || ']';
END;
$$;

COMMENT ON FUNCTION lookalike.regex_set_text(int4multirange) IS
    'Internal: a set of characters as PostgreSQL''s regular expressions write it. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_escape(
    source text, at integer, place text, OUT next integer, OUT code integer, OUT chars int4multirange
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    letter constant text := substr(source, at, 1);
    digits text;
BEGIN
    next := at + 1;
    chars := lookalike.regex_set(letter);
    IF chars IS NOT NULL THEN
        RETURN;
    ELSIF letter = '' THEN
        PERFORM lookalike.regex_refuse('a backslash at the end', next, place);
    ELSIF letter = 'x' THEN
        digits := coalesce(substring(substr(source, next) FROM '^\{([^}]*)\}'),
                           substring(substr(source, next) FROM '^[0-9a-fA-F]{1,2}'), '');
        next := next + length(digits) + CASE WHEN substr(source, next, 1) = '{' THEN 2 ELSE 0 END;
        IF digits !~ '^[0-9a-fA-F]{1,6}$' OR ('x' || lpad(digits, 8, '0'))::bit(32)::integer NOT BETWEEN 1 AND 1114111
            OR ('x' || lpad(digits, 8, '0'))::bit(32)::integer BETWEEN 55296 AND 57343 THEN
            PERFORM lookalike.regex_refuse(
                '\x needs the hexadecimal code of a character other than U+0000', next, place);
        END IF;
        code := ('x' || lpad(digits, 8, '0'))::bit(32)::integer;
    ELSIF letter IN ('t', 'n', 'r', 'f', 'a', 'e') THEN
        code := CASE letter WHEN 't' THEN 9 WHEN 'n' THEN 10 WHEN 'r' THEN 13 WHEN 'f' THEN 12 WHEN 'a' THEN 7 ELSE 27 END;
    ELSIF letter ~ '[0-9A-Za-z]' THEN
        PERFORM lookalike.regex_refuse(
            CASE WHEN letter ~ '[0-9]' THEN 'back-references and octal escapes are'
                 ELSE format('the escape \%s is', letter) END || ' not supported', next, place);
    ELSE
        code := ascii(letter);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_escape(text, integer, text) IS
    'Internal: what follows a backslash in a regular expression. Caller''s rights.';
