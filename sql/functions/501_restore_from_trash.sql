-- Brings records back from the trash, whole: attributes, vector, thumbnail, the picture that was kept, created_at.
--
-- Arguments: the name of the collection; the ids, of each of which the latest that was removed comes back; the number of a
--   decision, for those alone that it removed, NULL for any.
-- Result: a row for each id: `restored`; `taken`, a record of this id was stored since; `other_model`, the vectors were made
--   anew since; `expired`, its _expires_at has passed: these three stay in the trash. `stored`, it is not in the trash, but
--   a record; `absent`, it is neither. SQLSTATE P0002: no such collection; 22023: an id is NULL; 54000: the
--   collection would be over its capacity, and none comes back.
-- Locks: the decisions that removed them, the collection's row where it has a capacity, then the ids in their order, as
--   inserts do.
-- Rights: the caller's. Fixed search_path. Called by undo_decision and by anyone who may insert records.
CREATE OR REPLACE FUNCTION lookalike.restore_from_trash(
    collection text, ids text[], decision bigint DEFAULT NULL
) RETURNS TABLE (id text, outcome text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    most bigint;
    stored bigint;
    here integer;
    chosen bigint[];
    back text[];
    lapsed text[];
    there text[];
BEGIN
    PERFORM lookalike.check_ids(ids);
    space := lookalike.collection_space(collection);
    SELECT c.generation, c.capacity INTO STRICT here, most FROM lookalike.collections AS c WHERE c.id = space.id;
    -- Of a decision that is undone and a restore of what it removed, one waits here, before either holds anything else.
    PERFORM FROM lookalike.duplicate_decisions AS d
    WHERE d.id IN (SELECT t.decision_id FROM lookalike.trash AS t
                   WHERE t.collection_id = space.id AND t.id = ANY (ids) AND (decision IS NULL OR t.decision_id = decision))
    ORDER BY d.id FOR NO KEY UPDATE;
    IF most IS NOT NULL THEN
        PERFORM FROM lookalike.collections AS c WHERE c.id = space.id FOR NO KEY UPDATE;
    END IF;
    -- Locked by a statement of its own: of two callers the second finds what the first left.
    PERFORM FROM lookalike.trash AS t WHERE t.collection_id = space.id AND t.id = ANY (ids) ORDER BY t.id, t.number FOR UPDATE;
    SELECT array_agg(latest.number) INTO chosen FROM (
        SELECT DISTINCT ON (t.id) t.number, t.generation FROM lookalike.trash AS t
        WHERE t.collection_id = space.id AND t.id = ANY (ids) AND t.purge_at > now()
            AND (decision IS NULL OR t.decision_id = decision)
        ORDER BY t.id, t.number DESC
    ) AS latest WHERE latest.generation = here;
    EXECUTE format('DELETE FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2) AND r.expires_at <= now()',
                   space.records) USING space.id, ids;
    EXECUTE format(
        'WITH back AS (
             INSERT INTO %s AS r (collection_id, id, attributes, embedding, digest, created_at)
             SELECT t.collection_id, t.id, t.attributes, t.embedding, t.digest, t.created_at
             FROM lookalike.trash AS t WHERE t.number = ANY ($1) ORDER BY t.id
             ON CONFLICT (collection_id, id) DO NOTHING
             RETURNING r.id)
         SELECT coalesce(array_agg(back.id), ''{}'') FROM back', space.records)
        INTO back USING chosen;
    -- The trigger of the table says which moment an _expires_at is. What has passed would be gone at once, for good.
    EXECUTE format(
        'WITH gone AS (
             DELETE FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2) AND r.expires_at <= now() RETURNING r.id)
         SELECT coalesce(array_agg(gone.id), ''{}'') FROM gone', space.records)
        INTO lapsed USING space.id, back;
    back := ARRAY(SELECT b FROM unnest(back) AS b WHERE b <> ALL (lapsed));
    EXECUTE format(
        'INSERT INTO lookalike.%I (collection_id, id, webp)
         SELECT t.collection_id, t.id, t.thumbnail FROM lookalike.trash AS t
         WHERE t.number = ANY ($1) AND t.id = ANY ($2) AND t.thumbnail IS NOT NULL', format('thumbnails_%s', space.id))
        USING chosen, back;
    EXECUTE format(
        'INSERT INTO lookalike.%I (collection_id, id, picture, box)
         SELECT t.collection_id, t.id, t.picture, t.box FROM lookalike.trash AS t
         WHERE t.number = ANY ($1) AND t.id = ANY ($2) AND (t.picture IS NOT NULL OR t.box IS NOT NULL)',
        format('originals_%s', space.id)) USING chosen, back;
    UPDATE lookalike.duplicate_decisions AS d SET restored = d.restored || q.ids
    FROM (SELECT t.decision_id, array_agg(t.id ORDER BY t.id) AS ids FROM lookalike.trash AS t
          WHERE t.number = ANY (chosen) AND t.id = ANY (back) GROUP BY t.decision_id) AS q
    WHERE d.id = q.decision_id;
    DELETE FROM lookalike.trash AS t WHERE t.number = ANY (chosen) AND t.id = ANY (back);
    IF most IS NOT NULL AND cardinality(back) > 0 THEN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %s AS s LIMIT $1 + 1) AS r',
                       lookalike.unexpired(space.id, space.records)) INTO stored USING most;
        IF stored > most THEN
            RAISE program_limit_exceeded USING MESSAGE = format('the collection holds at most %s records', most);
        END IF;
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(r.id), ''{}'') FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2)',
                   space.records) INTO there USING space.id, ids;
    RETURN QUERY
        SELECT asked.id, CASE
            WHEN asked.id = ANY (back) THEN 'restored'
            WHEN asked.id = ANY (lapsed) THEN 'expired'
            WHEN EXISTS (SELECT FROM lookalike.trash AS t WHERE t.number = ANY (chosen) AND t.id = asked.id) THEN 'taken'
            WHEN EXISTS (SELECT FROM lookalike.trash AS t
                         WHERE t.collection_id = space.id AND t.id = asked.id AND t.purge_at > now()
                             AND (decision IS NULL OR t.decision_id = decision)) THEN 'other_model'
            WHEN asked.id = ANY (there) THEN 'stored'
            ELSE 'absent' END
        FROM (SELECT DISTINCT a.id COLLATE "C" AS id FROM unnest(ids) AS a (id)) AS asked
        ORDER BY asked.id;
END;
$$;

COMMENT ON FUNCTION lookalike.restore_from_trash(text, text[], bigint) IS
    'Brings records back from the trash, whole; says of each id what became of it. Caller''s rights.';
