-- Puts a collection's new vectors in the place of the old ones: its facts, its table and its indexes change at once.
--
-- Argument: the id of the collection. The caller has seen to it that the new table holds every record, that its indexes
--   are built, and that nobody writes to the old one.
-- Result: the generation that is in use then. SQLSTATE P0002 where no change of the model is under way, 2BP01 where
--   something that is not the program's own depends on the old table.
-- Locks: ACCESS EXCLUSIVE on the parent of the records, the collection's tables and the new one, for the milliseconds
--   of a change in the catalogue: no row is read. Give the transaction a lock_timeout and try again, so that a long
--   query does not hold up everyone behind this one. The parent comes first, as in queries through it. The foreign keys
--   of thumbnails and originals are made NOT VALID; VALIDATE CONSTRAINT them afterwards.
-- Rights: the caller's; the caller must own the tables. Called by `lookalike collection reembed`.
CREATE OR REPLACE FUNCTION lookalike.finish_reembedding(collection_id integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change lookalike.reembeddings;
    old_table text;
    new_table text;
    side_table text;
    granted record;
    key record;
BEGIN
    SELECT * INTO STRICT change FROM lookalike.reembeddings AS e WHERE e.collection_id = $1;
    SELECT lookalike.records_table(c.id, c.generation) INTO STRICT old_table FROM lookalike.collections AS c WHERE c.id = $1;
    new_table := lookalike.records_table($1, change.generation);

    LOCK TABLE ONLY lookalike.records IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE lookalike.%I IN ACCESS EXCLUSIVE MODE', old_table);

    FOR granted IN
        SELECT a.grantee, a.privilege_type, a.is_grantable
        FROM pg_catalog.pg_class AS t, LATERAL pg_catalog.aclexplode(t.relacl) AS a
        WHERE t.oid = format('lookalike.%I', old_table)::regclass AND a.grantee <> t.relowner
    LOOP
        EXECUTE format('GRANT %s ON lookalike.%I TO %s%s', granted.privilege_type, new_table,
            CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;

    UPDATE lookalike.collections AS c
    SET model = change.model, model_revision = change.model_revision, dimensions = change.dimensions,
        distance_scale = change.distance_scale, generation = change.generation
    WHERE c.id = $1;

    -- What hangs on the old table: the keys of thumbnails and originals, and the collection's view.
    FOR key IN
        SELECT k.conname, k.conrelid::regclass::text AS side_table FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'f' AND k.confrelid = format('lookalike.%I', old_table)::regclass
            AND k.conrelid = ANY (ARRAY[format('lookalike.thumbnails_%s', $1)::regclass,
                                        format('lookalike.originals_%s', $1)::regclass])
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.side_table, key.conname);
    END LOOP;
    PERFORM lookalike.create_collection_view($1);
    EXECUTE format('DROP TABLE lookalike.%I', old_table);
    EXECUTE format('ALTER TABLE lookalike.records ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)', new_table, $1);
    FOREACH side_table IN ARRAY ARRAY[format('thumbnails_%s', $1), format('originals_%s', $1)] LOOP
        EXECUTE format(
            'ALTER TABLE lookalike.%I ADD FOREIGN KEY (collection_id, id)
                 REFERENCES lookalike.%I ON DELETE CASCADE NOT VALID',
            side_table, new_table);
    END LOOP;

    DELETE FROM lookalike.partial_indexes AS p WHERE p.collection_id = $1 AND p.records_table <> new_table;
    DELETE FROM lookalike.crowds AS c WHERE c.collection_id = $1 AND c.records_table <> new_table;
    DELETE FROM lookalike.reembeddings AS e WHERE e.collection_id = $1;
    RETURN change.generation;
END;
$$;

COMMENT ON FUNCTION lookalike.finish_reembedding(integer) IS
    'Puts a collection''s new vectors in the place of the old ones; returns the generation in use then. Caller''s rights.';
