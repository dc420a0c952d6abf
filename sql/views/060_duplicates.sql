-- How far the stored pairs of each collection are: within which radius, whether the scan is complete, how many records were
-- written since and are to be compared yet, whether the vectors are those that were compared.
CREATE OR REPLACE VIEW lookalike.duplicate_states AS
SELECT
    c.name AS collection,
    s.radius,
    s.begun_at,
    s.completed_at,
    (SELECT count(DISTINCT n.id) FROM lookalike.duplicate_changes AS n WHERE n.collection_id = c.id) AS pending,
    s.generation <> c.generation AS outdated
FROM lookalike.duplicate_scans AS s
JOIN lookalike.collections AS c ON c.id = s.collection_id;

COMMENT ON VIEW lookalike.duplicate_states IS
    'Collections whose pairs of near duplicates are stored: radius, and whether they are complete and up to date.';

-- All stored pairs of near duplicates, each once, with those of copies. `distance` is the model's, `hash_distance` that of
-- the perceptual hashes, on the same scale, NULL where there are none; `evidence` says which are within the scan's radius.
CREATE OR REPLACE VIEW lookalike.duplicates AS
WITH members AS (
    SELECT k.collection_id, k.first, k.id FROM lookalike.duplicate_copies AS k
    UNION
    SELECT k.collection_id, k.first, k.first FROM lookalike.duplicate_copies AS k
), pairs AS (
    SELECT q.collection_id, coalesce(m.id, q.one) AS one, coalesce(n.id, q.other) AS other, q.distance, q.hash_distance
    FROM lookalike.duplicate_pairs AS q
    LEFT JOIN members AS m ON m.collection_id = q.collection_id AND m.first = q.one
    LEFT JOIN members AS n ON n.collection_id = q.collection_id AND n.first = q.other
    UNION ALL
    SELECT m.collection_id, m.id, n.id, 0.0::double precision, NULL::double precision
    FROM members AS m
    JOIN members AS n ON n.collection_id = m.collection_id AND n.first = m.first AND n.id > m.id
)
SELECT
    c.name AS collection, least(p.one, p.other) AS id, greatest(p.one, p.other) AS other_id, p.distance,
    coalesce(a.digest = b.digest, false) AS same_file, p.hash_distance,
    array_remove(ARRAY[
        CASE WHEN p.distance <= s.radius THEN 'model' END, CASE WHEN p.hash_distance <= s.radius THEN 'hash' END,
        CASE WHEN a.digest = b.digest THEN 'bytes' END], NULL) AS evidence
FROM pairs AS p
JOIN lookalike.collections AS c ON c.id = p.collection_id
JOIN lookalike.duplicate_scans AS s ON s.collection_id = p.collection_id
JOIN lookalike.records AS a ON a.collection_id = p.collection_id AND a.id = p.one
JOIN lookalike.records AS b ON b.collection_id = p.collection_id AND b.id = p.other
WHERE (a.expires_at IS NULL OR a.expires_at > now()) AND (b.expires_at IS NULL OR b.expires_at > now());

COMMENT ON VIEW lookalike.duplicates IS
    'All stored pairs of near duplicates, each once: distances, and what speaks for them (model, hash, the same bytes).';

-- What was decided about duplicates, the latest first by its number.
CREATE OR REPLACE VIEW lookalike.decisions AS
SELECT d.id AS decision, c.name AS collection, d.kind, d.members, d.removed, d.reason, d.merged, d.made_at, d.made_by,
       d.undone_at, d.undone_by, d.restored
FROM lookalike.duplicate_decisions AS d
JOIN lookalike.collections AS c ON c.id = d.collection_id;

COMMENT ON VIEW lookalike.decisions IS 'What was decided about duplicates: who, when, and whether it was undone.';

-- The records that can come back.
CREATE OR REPLACE VIEW lookalike.trashed_records AS
SELECT c.name AS collection, t.id, t.attributes, t.removed_at, t.removed_by, t.purge_at, t.decision_id AS decision
FROM lookalike.trash AS t
JOIN lookalike.collections AS c ON c.id = t.collection_id
WHERE t.purge_at > now();

COMMENT ON VIEW lookalike.trashed_records IS 'Records in the trash, which can come back until purge_at.';
