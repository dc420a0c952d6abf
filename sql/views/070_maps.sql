-- The map of each collection that has one: whether it is of the present vectors, how many records lie on it, and how many of
-- these were put beside their neighbours since it was laid out.
CREATE OR REPLACE VIEW lookalike.map_states AS
SELECT
    c.name AS collection,
    m.layout,
    m.version,
    m.made_at,
    m.generation <> c.generation AS outdated,
    p.records,
    p.placed
FROM lookalike.maps AS m
JOIN lookalike.collections AS c ON c.id = m.collection_id
CROSS JOIN LATERAL (
    SELECT count(*) AS records, count(*) FILTER (WHERE q.placed) AS placed
    FROM lookalike.map_points AS q WHERE q.collection_id = m.collection_id
) AS p;

COMMENT ON VIEW lookalike.map_states IS
    'The map of each collection that has one: by which layout, of which vectors, and how many records lie on it.';

-- Where each record lies on the map of its collection, for analyses: `apart` is the mean distance of its five nearest
-- neighbours, so that outliers come first by it in descending order. Those of maps of other vectors are left out.
CREATE OR REPLACE VIEW lookalike.map_records AS
SELECT c.name AS collection, p.id, p.x, p.y, p.cluster, p.apart, p.placed, r.attributes
FROM lookalike.map_points AS p
JOIN lookalike.maps AS m ON m.collection_id = p.collection_id
JOIN lookalike.collections AS c ON c.id = p.collection_id AND c.generation = m.generation
JOIN lookalike.records AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE r.expires_at IS NULL OR r.expires_at > now();

COMMENT ON VIEW lookalike.map_records IS
    'Where each record lies on the map of its collection, its cluster, how far apart it is, and its attributes.';
