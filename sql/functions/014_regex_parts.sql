-- Parts of a regular expression that are not characters: white space and comments, quantifiers, the opening of a group.
--
-- `regex_skipped` returns where the pattern goes on behind what does not count. `regex_quantifier` reads a quantifier at
-- `at`: its bounds (`high` NULL for no upper one, `low` for no quantifier) and where the pattern goes on.
-- `regex_opening` reads what follows an opening parenthesis: the group as PostgreSQL writes it, and whether a quantifier may
-- follow it; groups that capture become plain ones, as nothing refers to them. SQLSTATE 22023 for what is not supported.
-- Rights: the caller's. Fixed search_path. Called by regex_translated.
CREATE OR REPLACE FUNCTION lookalike.regex_skipped(source text, at integer, flags text, place text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text;
BEGIN
    LOOP
        found := substring(substr(source, at) FROM
            CASE WHEN flags LIKE '%x%' THEN '^(?:\(\?#[^)]*\)|[ \t\n\v\f\r]|#[^\n]*(?:\n|$))' ELSE '^\(\?#[^)]*\)' END);
        IF found IS NULL AND substr(source, at, 3) = '(?#' THEN
            PERFORM lookalike.regex_refuse('a comment without an end', at, place);
        ELSIF found IS NULL THEN
            RETURN at;
        END IF;
        at := at + length(found);
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_skipped(text, integer, text, text) IS
    'Internal: skips what does not count in a regular expression. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_quantifier(
    source text, at integer, place text, OUT next integer, OUT low integer, OUT high integer
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    letter constant text := substr(source, at, 1);
    bounds text[];
BEGIN
    next := at + 1;
    IF letter IN ('*', '+', '?') THEN
        low := (letter = '+')::integer;
        high := CASE letter WHEN '?' THEN 1 END;
        RETURN;
    END IF;
    bounds := regexp_match(substr(source, at), '^\{([0-9]*)(,?)([0-9]*)\}');
    IF bounds IS NULL OR bounds[1] || bounds[3] = '' THEN
        next := at;
    ELSIF bounds[1] = '' THEN
        PERFORM lookalike.regex_refuse(
            '{,n} means different things in different versions of PCRE: write {0,n}', at, place);
    ELSIF length(bounds[1]) > 5 OR length(bounds[3]) > 5
        OR (bounds[3] <> '' AND bounds[3]::integer < bounds[1]::integer) THEN
        PERFORM lookalike.regex_refuse('wrong bounds of a repetition', at, place);
    ELSE
        low := bounds[1]::integer;
        high := CASE WHEN bounds[2] = '' THEN low WHEN bounds[3] <> '' THEN bounds[3]::integer END;
        next := at + 2 + length(bounds[1] || bounds[2] || bounds[3]);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_quantifier(text, integer, text) IS
    'Internal: a quantifier of a regular expression. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_opening(
    source text, at integer, place text, OUT next integer, OUT opening text, OUT repeatable boolean
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text[];
BEGIN
    next := at;
    opening := '(?:';
    repeatable := true;
    IF substr(source, at, 1) = '*' THEN
        PERFORM lookalike.regex_refuse('(*VERBS) are not supported', at, place);
    ELSIF substr(source, at, 1) <> '?' THEN
        RETURN;
    END IF;
    found := regexp_match(substr(source, at), '^\?(=|!|<=|<!)');
    IF found IS NOT NULL THEN
        next := at + 1 + length(found[1]);
        opening := '(?' || found[1];
        repeatable := false;
    ELSIF substr(source, at, 2) = '?:' THEN
        next := at + 2;
    ELSIF substr(source, at) ~ '^\?(P?<|'')' THEN
        found := regexp_match(substr(source, at), '^\?(P?<[^>]*>|''[^'']*'')');
        IF found IS NULL OR btrim(found[1], 'P<>''') !~ '^[[:alpha:]_][[:alnum:]_]*$' THEN
            PERFORM lookalike.regex_refuse('a group with a wrong name', at, place);
        END IF;
        next := at + 1 + length(found[1]);
    ELSE
        PERFORM lookalike.regex_refuse(
            'only (…), (?:…), (?=…), (?!…), (?<=…), (?<!…), named groups, and (?imsx) in front are supported', at, place);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.regex_opening(text, integer, text) IS
    'Internal: the opening of a group of a regular expression. Caller''s rights.';
