-- Undoes a decision about duplicates: what it removed comes back from the trash, what it merged is taken back, what it
-- dismissed is asked again.
--
-- Arguments: the name of the collection; the number of the decision; who undoes it, the database's user where NULL.
-- Result: a row for each record that had been removed, as restore_from_trash has it; none for a dismissal. The decision is
--   undone once nothing that it removed is left in the trash; until then it can be undone again, for the rest. Where none
--   of them came back, now or before, it stands as it was. SQLSTATE P0002: no such collection or decision, as NULL;
--   55000: it was undone already.
-- What was merged is taken back with the first that comes back, from the record that was kept, in the trash, too. An
--   attribute that was changed since stays as it is; where another merge changed it, that one, once undone, leads back to
--   what was before both.
-- Locks: the decision and later merges into the same record, then the ids of those that come back, then the record that
--   was kept.
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
    back text[];
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
    IF made.merged IS NOT NULL THEN
        PERFORM FROM lookalike.later_merges(made.collection_id, made.id, made.merged ->> 'id');
    END IF;
    SELECT coalesce(jsonb_object_agg(r.id, r.outcome), '{}') INTO outcomes
    FROM lookalike.restore_from_trash(collection, made.removed, decision) AS r;
    SELECT d.restored INTO back FROM lookalike.duplicate_decisions AS d WHERE d.id = decision;
    IF cardinality(made.removed) = 0 OR cardinality(back) > 0 THEN
        IF made.merged IS NOT NULL AND NOT made.merged ? 'taken_back' THEN
            PERFORM lookalike.take_back_merge(space.records, made);
        END IF;
        IF NOT outcomes @? '$.* ? (@ == "taken" || @ == "other_model" || @ == "expired")' THEN
            UPDATE lookalike.duplicate_decisions AS d
            SET undone_at = now(), undone_by = coalesce(undo_decision.undone_by, session_user) WHERE d.id = decision;
        END IF;
    END IF;
    RETURN QUERY SELECT o.key, o.value FROM jsonb_each_text(outcomes) AS o ORDER BY o.key COLLATE "C";
END;
$$;

COMMENT ON FUNCTION lookalike.undo_decision(text, bigint, text) IS
    'Undoes a decision about duplicates; says of each record that it removed what became of it. Caller''s rights.';

-- Takes back what a decision merged into the record that it kept, wherever that is, and has later merges into it lead back
-- to what was before this one.
CREATE OR REPLACE FUNCTION lookalike.take_back_merge(records text, made lookalike.duplicate_decisions) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept constant text := made.merged ->> 'id';
    after constant jsonb := made.merged -> 'after';
    before constant jsonb := made.merged -> 'before';
    -- Decisions of earlier versions do not say when the record was made: then its id is what there is.
    born constant timestamptz := (made.merged ->> 'created_at')::timestamptz;
    waiting text[] := ARRAY(SELECT jsonb_object_keys(after));
    later record;
    field text;
    changed integer := 0;
BEGIN
    -- A record that is on its way into the trash or out of it is found at the second try, or the third.
    FOR try IN 1 .. 3 LOOP
        EXECUTE format(
            'UPDATE %s AS r SET updated_at = now(), attributes = lookalike.unmerged_attributes(r.attributes, $3, $4)
             WHERE r.collection_id = $1 AND r.id = $2 AND ($5 IS NULL OR r.created_at = $5)', records)
            USING made.collection_id, kept, before, after, born;
        GET DIAGNOSTICS changed = ROW_COUNT;
        EXIT WHEN changed > 0;
        UPDATE lookalike.trash AS t SET attributes = lookalike.unmerged_attributes(t.attributes, before, after)
        WHERE t.number = (SELECT max(s.number) FROM lookalike.trash AS s
                          WHERE s.collection_id = made.collection_id AND s.id = kept
                              AND (born IS NULL OR s.created_at = born));
        EXIT WHEN FOUND;
    END LOOP;
    FOR later IN SELECT l.id, l.merged FROM lookalike.later_merges(made.collection_id, made.id, kept) AS l LOOP
        FOR field IN SELECT w FROM unnest(waiting) AS w WHERE later.merged -> 'after' ? w LOOP
            waiting := array_remove(waiting, field);
            IF later.merged #> ARRAY['before', field] = after -> field THEN
                UPDATE lookalike.duplicate_decisions AS d
                SET merged = CASE WHEN before ? field THEN jsonb_set(d.merged, ARRAY['before', field], before -> field)
                                  ELSE d.merged #- ARRAY['before', field] END
                WHERE d.id = later.id;
            END IF;
        END LOOP;
    END LOOP;
    UPDATE lookalike.duplicate_decisions AS d SET merged = d.merged || '{"taken_back": true}' WHERE d.id = made.id;
END;
$$;

COMMENT ON FUNCTION lookalike.take_back_merge(text, lookalike.duplicate_decisions) IS
    'Internal: takes back what a decision merged into the record that it kept. Caller''s rights.';

-- Attributes without what a merge changed in them, as far as it was not changed since.
CREATE OR REPLACE FUNCTION lookalike.unmerged_attributes(attributes jsonb, before jsonb, after jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT attributes - ARRAY(SELECT a.key FROM jsonb_each(after) AS a WHERE attributes -> a.key = a.value) || coalesce((
        SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each(before) AS b
        WHERE attributes -> b.key = after -> b.key), '{}');
END;

COMMENT ON FUNCTION lookalike.unmerged_attributes(jsonb, jsonb, jsonb) IS
    'Internal: attributes without what a merge changed in them. Caller''s rights.';

-- Locks the later merges into a record that stand yet, and returns them in their order.
CREATE OR REPLACE FUNCTION lookalike.later_merges(collection_id integer, decision bigint, kept text)
RETURNS TABLE (id bigint, merged jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT d.id, d.merged FROM lookalike.duplicate_decisions AS d
        WHERE d.collection_id = $1 AND d.id > decision AND d.merged ->> 'id' = kept AND NOT d.merged ? 'taken_back'
            AND d.undone_at IS NULL
        ORDER BY d.id FOR UPDATE;
END;
$$;

COMMENT ON FUNCTION lookalike.later_merges(integer, bigint, text) IS
    'Internal: locks and returns the later merges into a record that stand yet. Caller''s rights.';
