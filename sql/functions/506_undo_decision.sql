-- Undoes a decision about duplicates: what it removed comes back from the trash, what it merged is taken back, what it
-- dismissed is asked again.
--
-- Arguments: the name of the collection; the number of the decision; who undoes it, the database's user where NULL.
-- Result: a row for each record that had been removed, as restore_from_trash has it; none for a dismissal. An attribute
--   that was changed after the merge stays as it is. Where none of them comes back, the decision stands as it was, and can
--   be undone later. SQLSTATE P0002: no such collection or decision, as NULL; 55000: it was undone already.
-- Locks: the row of the decision, then the ids of those that come back, then the record that was kept.
-- Rights: the caller's. Fixed search_path. Called by the server and by anyone who may write records.
CREATE OR REPLACE FUNCTION lookalike.undo_decision(collection text, decision bigint, undone_by text DEFAULT NULL)
RETURNS TABLE (id text, outcome text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    made lookalike.duplicate_decisions;
    outcomes jsonb;
BEGIN
    IF decision IS NULL THEN
        RAISE no_data_found USING MESSAGE = 'name a decision by its number: it is NULL';
    END IF;
    space := lookalike.collection_space(collection);
    SELECT d.* INTO made FROM lookalike.duplicate_decisions AS d
    WHERE d.id = decision AND d.collection_id = space.id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('there is no decision %s in the collection %L', decision, collection);
    ELSIF made.undone_at IS NOT NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('decision %s was undone already, by %s', decision, made.undone_by);
    END IF;
    SELECT coalesce(jsonb_object_agg(r.id, r.outcome), '{}') INTO outcomes
    FROM lookalike.restore_from_trash(collection, made.removed, decision) AS r;
    IF cardinality(made.removed) = 0 OR outcomes @? '$.* ? (@ == "restored")' THEN
        UPDATE lookalike.duplicate_decisions AS d
        SET undone_at = now(), undone_by = coalesce(undo_decision.undone_by, session_user) WHERE d.id = decision;
        IF made.merged IS NOT NULL THEN
            EXECUTE format(
                'UPDATE %s AS r
                 SET updated_at = now(), attributes = r.attributes - ARRAY(
                         SELECT a.key FROM jsonb_each($3) AS a WHERE r.attributes -> a.key = a.value
                     ) || coalesce((
                         SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each($4) AS b
                         WHERE r.attributes -> b.key = $3 -> b.key), ''{}'')
                 WHERE r.collection_id = $1 AND r.id = $2', space.records)
                USING space.id, made.merged ->> 'id', made.merged -> 'after', made.merged -> 'before';
        END IF;
    END IF;
    RETURN QUERY SELECT o.key, o.value FROM jsonb_each_text(outcomes) AS o ORDER BY o.key COLLATE "C";
END;
$$;

COMMENT ON FUNCTION lookalike.undo_decision(text, bigint, text) IS
    'Undoes a decision about duplicates; says of each record that it removed what became of it. Caller''s rights.';
