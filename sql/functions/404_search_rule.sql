-- The figures of the rule by which a search takes its way, and of the list that its pages are cut from.
--
-- Results: `search_figure`: a figure by its name. `search_rungs`: how many records each rung keeps, and of how many
--   candidates. NULL for an unknown name. `usual_search_costs`: microseconds, where nothing was measured.
-- Generated from app/search by `lookalike sql sync`; never edited by hand.
-- Rights: the caller's. Called by nearest_records.

CREATE OR REPLACE FUNCTION lookalike.search_figure(name text) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN 'alike' THEN '20'::double precision
    WHEN 'ranks' THEN '20'::double precision
    WHEN 'slack' THEN '2'::double precision
    WHEN 'hope' THEN '0.7'::double precision
    WHEN 'doubt' THEN '2'::double precision
    WHEN 'bound_at_least' THEN '1000'::double precision
    WHEN 'effort' THEN '1.5'::double precision
    WHEN 'effort_rows' THEN '60000'::double precision
    WHEN 'effort_max' THEN '1000'::double precision
    WHEN 'visits' THEN '40'::double precision
END;

COMMENT ON FUNCTION lookalike.search_figure(text) IS
    'Internal: a figure of the rule of searches, by name. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.search_rungs(name text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN 'keep' THEN '{30,80,160,400,800}'::integer[]
    WHEN 'candidates' THEN '{38,100,200,500,1000}'::integer[]
    WHEN 'keep_matches' THEN '{30,80,250,800}'::integer[]
    WHEN 'candidates_matches' THEN '{60,160,500,1600}'::integer[]
END;

COMMENT ON FUNCTION lookalike.search_rungs(text) IS
    'Internal: the rungs of searches, by name. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.usual_search_costs(
    dimensions integer, OUT match_us double precision, OUT candidate_us double precision
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 0.8 + 0.0006 * dimensions, 4 + 0.008 * dimensions;
END;

COMMENT ON FUNCTION lookalike.usual_search_costs(integer) IS
    'Internal: what the steps of a search usually cost, in microseconds. Caller''s rights.';
