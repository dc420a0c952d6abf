-- Named queries on what the steps of a search cost.

-- name: dimensions
-- The dimensions that collections have, ascending.
SELECT DISTINCT c.dimensions FROM lookalike.collections AS c ORDER BY c.dimensions;

-- name: store
-- Stores what was measured at one number of dimensions, in place of what was measured before.
INSERT INTO lookalike.search_costs AS s (dimensions, distance_us, match_us, candidate_us)
VALUES (:dimensions, :distance_us, :match_us, :candidate_us)
ON CONFLICT (dimensions) DO UPDATE
SET distance_us = excluded.distance_us, match_us = excluded.match_us, candidate_us = excluded.candidate_us,
    measured_at = now();
