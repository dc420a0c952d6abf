-- The searches that the server answered lately, newest first, where LOOKALIKE_LOG_SEARCHES is on; else no rows.
-- A second or so behind; at most LOOKALIKE_SEARCH_LOG_ROWS of them. `token` is the token's label, NULL where
-- it has none; `query_id` the _id that was asked about, NULL for a picture. With its owner's rights.
CREATE OR REPLACE VIEW lookalike.recent_searches AS
SELECT
    l.at,
    nullif(t.label, '') AS token,
    l.token_id,
    c.name AS collection,
    l.method,
    l.query_id,
    l.filter,
    l.k,
    l.results,
    l.milliseconds,
    l.way
FROM lookalike.search_log AS l
LEFT JOIN lookalike.collections AS c ON c.id = l.collection_id
LEFT JOIN lookalike.tokens AS t ON t.id = l.token_id
ORDER BY l.id DESC;

COMMENT ON VIEW lookalike.recent_searches IS
    'The latest searches, newest first: who, when, what, how many found, how long. With its owner''s rights.';
