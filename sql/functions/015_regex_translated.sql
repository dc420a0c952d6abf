-- A regular expression in MongoDB's dialect (PCRE) → the one that `like_regex … flag "s"` runs: app/filters/regex.py.
--
-- Arguments: the pattern, at most 1,000 characters; options, letters of imsx; the place for messages. Result: the pattern,
-- and whether case is ignored. SQLSTATE 22023 for a pattern that is wrong, or has no equal in PostgreSQL.
-- Rights: the caller's. Fixed search_path. Called by filter_regex.
CREATE OR REPLACE FUNCTION lookalike.regex_translated(
    source text, options text, place text, OUT pattern text, OUT ignore_case boolean
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    flags text := options;
    at integer := 1;
    start text;
    piece text;
    last_piece text := '';
    piece_size integer;
    repeatable boolean;
    read record;
    size integer := 0;
    depth integer := 0;
    behind integer := 0;
    sizes integer[] := '{}';
    openings text[] := '{}';
    quantifier record;
    largest integer;
BEGIN
    IF length(source) > 1000 THEN
        PERFORM lookalike.filter_refuse('a regular expression may have at most 1,000 characters', place);
    END IF;
    WHILE substr(source, at) ~ '^\(\?(?=[-imsx])[imsx]*-?[imsx]*\)' LOOP
        piece := substring(substr(source, at) FROM '^\(\?([imsx]*-?[imsx]*)\)');
        flags := translate(flags || split_part(piece, '-', 1), coalesce(nullif(split_part(piece, '-', 2), ''), '-'), '');
        at := at + 3 + length(piece);
    END LOOP;
    ignore_case := flags LIKE '%i%';
    pattern := '';
    LOOP
        at := lookalike.regex_skipped(source, at, flags, place);
        EXIT WHEN at > length(source);
        start := substr(source, at, 1);
        at := at + 1;
        piece_size := 1;
        repeatable := true;
        IF start = '|' THEN
            pattern := pattern || '|';
            last_piece := '';
            CONTINUE;
        ELSIF start = '(' THEN
            read := lookalike.regex_opening(source, at, place);
            at := read.next;
            depth := depth + 1;
            IF depth > 100 THEN
                PERFORM lookalike.regex_refuse('more than 100 groups inside one another', at, place);
            END IF;
            sizes[depth] := size;
            openings[depth] := read.opening;
            behind := behind + (read.opening LIKE '(?<%')::integer;
            size := 0;
            pattern := pattern || read.opening;
            last_piece := '';
            CONTINUE;
        ELSIF start = ')' THEN
            IF depth = 0 THEN
                PERFORM lookalike.regex_refuse('a closing parenthesis without an opening one', at, place);
            END IF;
            piece := ')';
            piece_size := size + 1;
            size := sizes[depth];
            repeatable := openings[depth] = '(?:';
            behind := behind - (openings[depth] LIKE '(?<%')::integer;
            depth := depth - 1;
        ELSIF start = '\' AND substr(source, at, 1) IN ('b', 'B', 'A', 'z', 'Z') THEN
            piece := lookalike.regex_fragment('\' || substr(source, at, 1));
            repeatable := false;
            at := at + 1;
        ELSIF start = '\' AND substr(source, at, 1) IN ('Q', 'E') THEN
            start := CASE WHEN substr(source, at, 1) = 'Q' THEN split_part(substr(source, at + 1), '\E', 1) ELSE '' END;
            piece := coalesce((SELECT string_agg(lookalike.regex_character(ascii(c.letter)), '' ORDER BY c.position)
                               FROM string_to_table(start, NULL) WITH ORDINALITY AS c (letter, position)), '');
            at := at + 1 + length(start)
                + CASE WHEN substr(source, at, 1) = 'Q' AND substr(source, at + 1 + length(start), 2) = '\E'
                       THEN 2 ELSE 0 END;
            piece_size := length(start);
            repeatable := false;
        ELSIF start = '\' THEN
            read := lookalike.regex_escape(source, at, place);
            at := read.next;
            piece := CASE WHEN read.chars IS NULL THEN lookalike.regex_character(read.code)
                          ELSE lookalike.regex_set_text(read.chars) END;
        ELSIF start = '[' THEN
            read := lookalike.regex_bracket(source, at, place);
            at := read.next;
            piece := lookalike.regex_set_text(read.chars);
        ELSIF start IN ('.', '^', '$') THEN
            piece := lookalike.regex_fragment(start || CASE
                WHEN start = '.' AND flags LIKE '%s%' THEN 's' WHEN start <> '.' AND flags LIKE '%m%' THEN 'm' ELSE '' END);
            repeatable := start = '.';
        ELSIF (lookalike.regex_quantifier(source, at - 1, place)).low IS NOT NULL THEN
            PERFORM lookalike.regex_refuse('a quantifier with nothing to repeat', at, place);
        ELSE
            piece := lookalike.regex_character(ascii(start));
        END IF;

        at := lookalike.regex_skipped(source, at, flags, place);
        quantifier := lookalike.regex_quantifier(source, at, place);
        IF quantifier.low IS NOT NULL THEN
            at := quantifier.next;
            largest := coalesce(quantifier.high, quantifier.low);
            IF NOT repeatable THEN
                PERFORM lookalike.regex_refuse(
                    'a quantifier after an anchor, a look-around or \E is not supported', at, place);
            ELSIF behind > 0 THEN
                PERFORM lookalike.regex_refuse('a quantifier inside a look-behind is not supported', at, place);
            ELSIF substr(source, at, 1) = '+' THEN
                PERFORM lookalike.regex_refuse('possessive quantifiers are not supported', at, place);
            ELSIF piece_size::bigint * greatest(largest, 1) > 10000 OR largest > 255 THEN
                PERFORM lookalike.regex_refuse(
                    'a repetition over 255, or too many of them inside one another', at, place);
            END IF;
            piece_size := piece_size * greatest(largest, 1);
            at := at + (substr(source, at, 1) = '?')::integer;
            at := lookalike.regex_skipped(source, at, flags, place);
            IF (lookalike.regex_quantifier(source, at, place)).low IS NOT NULL THEN
                PERFORM lookalike.regex_refuse('a quantifier after a quantifier', at, place);
            END IF;
            piece := piece || CASE
                WHEN quantifier.low = 0 AND quantifier.high IS NULL THEN '*'
                WHEN quantifier.low = 1 AND quantifier.high IS NULL THEN '+'
                WHEN quantifier.low = 0 AND quantifier.high = 1 THEN '?'
                WHEN quantifier.high IS NULL THEN format('{%s,}', quantifier.low)
                WHEN quantifier.low = quantifier.high THEN format('{%s}', quantifier.low)
                ELSE format('{%s,%s}', quantifier.low, quantifier.high) END;
        END IF;
        -- The same boundary twice would make PostgreSQL's automaton explode.
        IF piece <> last_piece OR piece NOT IN (lookalike.regex_fragment('\b'), lookalike.regex_fragment('\B')) THEN
            pattern := pattern || piece;
            size := size + piece_size;
        END IF;
        last_piece := piece;
    END LOOP;
    IF depth > 0 THEN
        PERFORM lookalike.regex_refuse('a group without an end', at, place);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_translated(text, text, text) IS
    'Internal: a regular expression of MongoDB''s dialect in PostgreSQL''s. Caller''s rights.';
