"""The figures of the rule as a SQL file, for the function that searches inside the database, `nearest_records`."""

from app.domain.collections import SearchCosts
from app.filters.plpgsql import case
from app.search import ladder, plan

_HEADER = """\
-- The figures of the rule by which a search takes its way, and of the list that its pages are cut from.
--
-- Results: `search_figure`: a figure by its name. `search_rungs`: how many records each rung keeps, and of how many
--   candidates. NULL for an unknown name. `usual_search_costs`: microseconds, where nothing was measured.
-- Generated from app/search by `lookalike sql sync`; never edited by hand.
-- Rights: the caller's. Called by nearest_records.
"""


_COSTS = """\
CREATE OR REPLACE FUNCTION lookalike.usual_search_costs(
    dimensions integer, OUT match_us double precision, OUT candidate_us double precision
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT {match:g} + {match_more:g} * dimensions, {candidate:g} + {candidate_more:g} * dimensions;
END;

COMMENT ON FUNCTION lookalike.usual_search_costs(integer) IS
    'Internal: what the steps of a search usually cost, in microseconds. Caller''s rights.';
"""


def figures() -> dict[str, float]:
    """Return the figures that both sides use, by name."""
    return {
        "alike": ladder.ALIKE,
        "ranks": plan.RANKS,
        "slack": plan.SLACK,
        "hope": plan.HOPE,
        "doubt": plan.DOUBT,
        "bound_at_least": plan.BOUND_AT_LEAST,
        "effort": plan.EFFORT,
        "effort_rows": plan.EFFORT_ROWS,
        "effort_max": plan.EF_SEARCH_MAX,
        "visits": plan.VISITS,
    }


def rungs() -> dict[str, list[int]]:
    """Return what the rungs keep and are offered, by name, without a filter and with one."""
    all_records = (plan.FIRST[-1], *plan.DEEPER)
    matches = (plan.FIRST_MATCHES[-1], *plan.DEEPER_MATCHES)
    return {
        "keep": [rung.keep for rung in all_records],
        "candidates": [rung.candidates for rung in all_records],
        "keep_matches": [rung.keep for rung in matches],
        "candidates_matches": [rung.candidates for rung in matches],
    }


def _costs() -> str:
    none, many = SearchCosts.usual(0), SearchCosts.usual(1_000_000)
    match, candidate = none.match_us + none.distance_us, none.candidate_us
    return _COSTS.format(
        match=match,
        match_more=(many.match_us + many.distance_us - match) / 1e6,
        candidate=candidate,
        candidate_more=(many.candidate_us - candidate) / 1e6,
    )


def render() -> dict[str, str]:
    """Return the generated file of `sql/functions`, by name."""
    numbers = {name: f"{figure:g}" for name, figure in figures().items()}
    lists = {name: "{" + ",".join(map(str, found)) + "}" for name, found in rungs().items()}
    parts = [
        case("search_figure(name text)", "double precision", "name", numbers, "a figure of the rule of searches"),
        case("search_rungs(name text)", "integer[]", "name", lists, "the rungs of searches"),
        _costs(),
    ]
    return {"404_search_rule.sql": "\n".join([_HEADER, *parts])}
