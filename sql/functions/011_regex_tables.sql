-- The tables of regular expressions in filters: classes of characters, anchors.
--
-- Results: `regex_set`: a class as ranges of code points; `regex_fragment`: an anchor or a dot as PostgreSQL writes
--   it, the letter of an option behind it where it matters. NULL for an unknown name.
-- Generated from app/filters by `lookalike sql sync`; never edited by hand.
-- Rights: the caller's; the names in the bodies were resolved when they were made. Called by the functions on filters.

CREATE OR REPLACE FUNCTION lookalike.regex_set(name text) RETURNS int4multirange
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN 'd' THEN '{[48,57]}'::int4multirange
    WHEN 'w' THEN '{[48,57],[65,90],[95,95],[97,122]}'::int4multirange
    WHEN 's' THEN '{[9,13],[32,32]}'::int4multirange
    WHEN 'D' THEN '{[1,47],[58,1114111]}'::int4multirange
    WHEN 'W' THEN '{[1,47],[58,64],[91,94],[96,96],[123,1114111]}'::int4multirange
    WHEN 'S' THEN '{[1,8],[14,31],[33,1114111]}'::int4multirange
    WHEN 'posix:alnum' THEN '{[48,57],[65,90],[97,122]}'::int4multirange
    WHEN 'posix:^alnum' THEN '{[1,47],[58,64],[91,96],[123,1114111]}'::int4multirange
    WHEN 'posix:alpha' THEN '{[65,90],[97,122]}'::int4multirange
    WHEN 'posix:^alpha' THEN '{[1,64],[91,96],[123,1114111]}'::int4multirange
    WHEN 'posix:ascii' THEN '{[1,127]}'::int4multirange
    WHEN 'posix:^ascii' THEN '{[128,1114111]}'::int4multirange
    WHEN 'posix:blank' THEN '{[9,9],[32,32]}'::int4multirange
    WHEN 'posix:^blank' THEN '{[1,8],[10,31],[33,1114111]}'::int4multirange
    WHEN 'posix:cntrl' THEN '{[1,31],[127,127]}'::int4multirange
    WHEN 'posix:^cntrl' THEN '{[32,126],[128,1114111]}'::int4multirange
    WHEN 'posix:digit' THEN '{[48,57]}'::int4multirange
    WHEN 'posix:^digit' THEN '{[1,47],[58,1114111]}'::int4multirange
    WHEN 'posix:graph' THEN '{[33,126]}'::int4multirange
    WHEN 'posix:^graph' THEN '{[1,32],[127,1114111]}'::int4multirange
    WHEN 'posix:lower' THEN '{[97,122]}'::int4multirange
    WHEN 'posix:^lower' THEN '{[1,96],[123,1114111]}'::int4multirange
    WHEN 'posix:print' THEN '{[32,126]}'::int4multirange
    WHEN 'posix:^print' THEN '{[1,31],[127,1114111]}'::int4multirange
    WHEN 'posix:punct' THEN '{[33,47],[58,64],[91,96],[123,126]}'::int4multirange
    WHEN 'posix:^punct' THEN '{[1,32],[48,57],[65,90],[97,122],[127,1114111]}'::int4multirange
    WHEN 'posix:space' THEN '{[9,13],[32,32]}'::int4multirange
    WHEN 'posix:^space' THEN '{[1,8],[14,31],[33,1114111]}'::int4multirange
    WHEN 'posix:upper' THEN '{[65,90]}'::int4multirange
    WHEN 'posix:^upper' THEN '{[1,64],[91,1114111]}'::int4multirange
    WHEN 'posix:word' THEN '{[48,57],[65,90],[95,95],[97,122]}'::int4multirange
    WHEN 'posix:^word' THEN '{[1,47],[58,64],[91,94],[96,96],[123,1114111]}'::int4multirange
    WHEN 'posix:xdigit' THEN '{[48,57],[65,70],[97,102]}'::int4multirange
    WHEN 'posix:^xdigit' THEN '{[1,47],[58,64],[71,96],[103,1114111]}'::int4multirange
END;

COMMENT ON FUNCTION lookalike.regex_set(text) IS
    'Internal: a class of characters, by name. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.regex_fragment(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN '\b' THEN '(?:(?<![0-9A-Z\u005fa-z])(?=[0-9A-Z\u005fa-z])|(?<=[0-9A-Z\u005fa-z])(?![0-9A-Z\u005fa-z]))'
    WHEN '\B' THEN '(?:(?<=[0-9A-Z\u005fa-z])(?=[0-9A-Z\u005fa-z])|(?<![0-9A-Z\u005fa-z])(?![0-9A-Z\u005fa-z]))'
    WHEN '\A' THEN '\A'
    WHEN '\z' THEN '\Z'
    WHEN '\Z' THEN '(?=\n?\Z)'
    WHEN '.' THEN '[^\n]'
    WHEN '^' THEN '\A'
    WHEN '$' THEN '(?=\n?\Z)'
    WHEN '.s' THEN '.'
    WHEN '^m' THEN '(?:\A|(?<=\n)(?!\Z))'
    WHEN '$m' THEN '(?=\n|\Z)'
END;

COMMENT ON FUNCTION lookalike.regex_fragment(text) IS
    'Internal: an anchor or a dot, by name. Caller''s rights.';
