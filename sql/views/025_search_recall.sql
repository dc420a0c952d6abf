-- One row an index that searches go through: the recall that they aim at, the effort that they take for it, and the recall
-- that was measured there, of the nearest 10 and 100. `effort` is that of the nearest 30, `effort_deep` of those beyond,
-- `effort_matches` that with a filter; `condition` is NULL for the index of all records, else it says whose index it is.
-- `current` is false where the index was built anew since, or a server measures it for the first time: searches go by the
-- number of records then. The curve is in `curves`: for each depth points of effort, recall, and its lower end.
-- Reads the catalogue only. With its owner's rights.
CREATE OR REPLACE VIEW lookalike.search_recall AS
SELECT
    c.name AS collection,
    m.index_name,
    p.condition,
    m.target AS recall_target,
    m.effort,
    m.effort_deep,
    m.effort_matches,
    m.recall_10,
    m.recall_100,
    m.queries,
    m.rows,
    m.seconds,
    m.measured_at,
    m.curves,
    coalesce(m.build = pg_catalog.pg_relation_filenode(pg_catalog.to_regclass('lookalike.' || m.index_name))::bigint,
             false) AS current
FROM lookalike.index_recall AS m
JOIN lookalike.collections AS c ON c.id = m.collection_id
LEFT JOIN lookalike.partial_indexes AS p ON p.index_name = m.index_name;

COMMENT ON VIEW lookalike.search_recall IS
    'One row an index of vectors: recall aimed at, effort of searches, measured recall. With its owner''s rights.';
