-- Refuses to remove a record that hangs together with none that is kept: it may be the last copy of its group, and what is
-- kept another picture altogether.
--
-- Arguments: the id of the collection; the quoted name of its table; the ids that are kept and those that are removed.
-- Result: none. SQLSTATE 55000 where a removed one is linked to no kept one, directly or through others, by stored pairs of
--   records that are there and were not written since. Nothing is checked where the pairs of the collection are not stored, not all of them, or
--   those of vectors that were made anew since: then nobody knows.
-- Method: what can be reached from those that are kept, first by way of the named records alone, which is nearly always
--   enough, then by way of any. Records of one vector are one node, named by their first (lookalike.duplicate_copies).
-- Rights: the caller's. Fixed search_path. Called by resolve_duplicates and preview_resolution.
CREATE OR REPLACE FUNCTION lookalike.check_last_copy(collection_id integer, records text, keep text[], remove text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    alone text;
BEGIN
    IF NOT EXISTS (SELECT FROM lookalike.duplicate_scans AS s JOIN lookalike.collections AS c ON c.id = s.collection_id
                   WHERE s.collection_id = $1 AND s.completed_at IS NOT NULL AND s.generation = c.generation) THEN
        RETURN;
    END IF;
    FOR way IN 1 .. 2 LOOP
        EXECUTE format(
            'WITH RECURSIVE changed AS MATERIALIZED (
                 SELECT DISTINCT h.id FROM lookalike.duplicate_changes AS h WHERE h.collection_id = $1
             ), named AS (
                 SELECT m.id, coalesce(c.first, m.id) AS node FROM unnest(($2 || $3) COLLATE "C") AS m (id)
                 LEFT JOIN lookalike.duplicate_copies AS c ON c.collection_id = $1 AND c.id = m.id
                     AND c.id NOT IN (SELECT h.id FROM changed AS h)
             ), reached AS (
                 SELECT n.node FROM named AS n WHERE n.id = ANY ($2)
                 UNION
                 SELECT l.node FROM reached AS f
                 CROSS JOIN LATERAL (
                     SELECT p.other AS node FROM lookalike.duplicate_pairs AS p
                     WHERE p.collection_id = $1 AND p.one = f.node
                     UNION ALL
                     SELECT p.one FROM lookalike.duplicate_pairs AS p WHERE p.collection_id = $1 AND p.other = f.node
                 ) AS l
                 WHERE f.node NOT IN (SELECT h.id FROM changed AS h) AND l.node NOT IN (SELECT h.id FROM changed AS h) AND (
                     l.node IN (SELECT n.node FROM named AS n)
                     OR $4 AND (EXISTS (SELECT FROM %1$s AS r WHERE r.collection_id = $1 AND r.id = l.node)
                                OR EXISTS (SELECT FROM lookalike.duplicate_copies AS c
                                           JOIN %1$s AS r ON r.collection_id = $1 AND r.id = c.id
                                           WHERE c.collection_id = $1 AND c.first = l.node)))
             )
             SELECT min(n.id) FROM named AS n WHERE n.id = ANY ($3) AND n.node NOT IN (SELECT f.node FROM reached AS f)',
            lookalike.unexpired($1, records))
            INTO alone USING $1, keep, remove, way = 2;
        IF alone IS NULL THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE object_not_in_prerequisite_state USING
        MESSAGE = format('the record %L is in no group with one that is kept: the last copy cannot be removed', alone),
        HINT = 'lookalike.remove_to_trash removes any record; what was written since the pairs were stored may be in no group yet.';
END;
$$;

COMMENT ON FUNCTION lookalike.check_last_copy(integer, text, text[], text[]) IS
    'Internal: refuses to remove what hangs together with nothing that is kept. Caller''s rights.';
