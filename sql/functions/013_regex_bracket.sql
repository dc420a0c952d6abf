-- A bracket of a regular expression, `[…]`, as a set of characters.
--
-- Arguments: the pattern; where the bracket's content begins; the place for messages. Result: the set, and where the
-- pattern goes on behind the bracket. SQLSTATE 22023 for a bracket that is wrong or matches nothing.
-- Rights: the caller's. Fixed search_path. Called by regex_translated.
CREATE OR REPLACE FUNCTION lookalike.regex_bracket(
    source text, at integer, place text, OUT next integer, OUT chars int4multirange
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    negated constant boolean := substr(source, at, 1) = '^';
    beginning boolean := true;
    posix text[];
    low record;
    high record;
BEGIN
    next := at + negated::integer;
    chars := '{}';
    WHILE beginning OR substr(source, next, 1) <> ']' LOOP
        beginning := false;
        posix := regexp_match(substr(source, next), '^\[([:.=])(\^*[[:alpha:]]+\^*)\1\]');
        IF posix IS NOT NULL THEN
            IF posix[1] <> ':' OR lookalike.regex_set('posix:' || posix[2]) IS NULL THEN
                PERFORM lookalike.regex_refuse(
                    format('[%1$s…%1$s] does not name a known class of characters', posix[1]), next, place);
            END IF;
            chars := chars + lookalike.regex_set('posix:' || posix[2]);
            next := next + 4 + length(posix[2]);
            CONTINUE;
        END IF;
        low := lookalike.regex_bracket_character(source, next, place);
        next := low.next;
        IF low.chars IS NOT NULL THEN
            chars := chars + low.chars;
        ELSIF substr(source, next, 1) <> '-' OR substr(source, next, 2) IN ('-]', '-') THEN
            chars := chars + int4multirange(int4range(low.code, low.code, '[]'));
        ELSE
            high := lookalike.regex_bracket_character(source, next + 1, place);
            next := high.next;
            IF high.chars IS NOT NULL OR high.code < low.code THEN
                PERFORM lookalike.regex_refuse('a wrong range in brackets', next, place);
            END IF;
            chars := chars + int4multirange(int4range(low.code, high.code, '[]'));
        END IF;
    END LOOP;
    next := next + 1;
    IF negated THEN
        chars := '{[1,1114111]}'::int4multirange - chars;
    END IF;
    IF isempty(chars) THEN
        PERFORM lookalike.regex_refuse('a bracket that no character matches', next, place);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_bracket(text, integer, text) IS
    'Internal: a bracket of a regular expression as a set of characters. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_bracket_character(
    source text, at integer, place text, OUT next integer, OUT code integer, OUT chars int4multirange
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    letter constant text := substr(source, at, 1);
BEGIN
    IF letter = '' THEN
        PERFORM lookalike.regex_refuse('a bracket without an end', at, place);
    ELSIF letter = '\' AND substr(source, at + 1, 1) = 'b' THEN
        next := at + 2;
        code := 8;
    ELSIF letter = '\' THEN
        SELECT e.next, e.code, e.chars INTO next, code, chars FROM lookalike.regex_escape(source, at + 1, place) AS e;
    ELSE
        next := at + 1;
        code := ascii(letter);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_bracket_character(text, integer, text) IS
    'Internal: one character or class in a bracket of a regular expression. Caller''s rights.';
