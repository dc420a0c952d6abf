-- Puts the records of a collection on the workers of Citus, with their thumbnails and pictures.
--
-- `detach_collection` takes its tables out of lookalike.records, thumbnails and originals, which Citus does not have on this node alone:
--   from then on the collection is not found there, but by its view and its own tables. Nothing happens where it was done.
-- `distribute_collection` hands the tables over: `tables` of each by a hash of the ids, or one, on one worker, where that is NULL.
--   What the trigger of records that expire looks up here is noted beforehand, as no worker has that table.
-- Arguments: the id of the collection; the number of tables of its records.
-- Locks: ACCESS EXCLUSIVE on the parents for a moment, then on the collection's own tables until its records are copied.
-- Rights: the caller's, who must own the tables. Called by `lookalike db distribute`, which checks the cluster.
CREATE OR REPLACE FUNCTION lookalike.detach_collection(collection_id integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    records constant text := (SELECT lookalike.records_table(c.id, c.generation) FROM lookalike.collections AS c WHERE c.id = $1);
    kind text;
    own text;
    key name;
BEGIN
    FOREACH kind IN ARRAY ARRAY['records', 'thumbnails', 'originals'] LOOP
        own := CASE kind WHEN 'records' THEN records ELSE format('%s_%s', kind, $1) END;
        IF EXISTS (SELECT FROM pg_class AS t WHERE t.oid = format('lookalike.%I', own)::regclass AND t.relispartition) THEN
            EXECUTE format('ALTER TABLE lookalike.%I DETACH PARTITION lookalike.%I', kind, own);
        END IF;
        FOR key IN
            SELECT k.conname FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conrelid = format('lookalike.%I', own)::regclass
        LOOP
            EXECUTE format('ALTER TABLE lookalike.%I DROP CONSTRAINT %I', own, key);
        END LOOP;
    END LOOP;
    UPDATE lookalike.collections AS c SET expires = true WHERE c.id = $1 AND NOT c.expires;
END;
$$;

COMMENT ON FUNCTION lookalike.detach_collection(integer) IS
    'Takes the tables of a collection out of those of all collections, to be distributed. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.distribute_collection(collection_id integer, tables integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    records constant text := (SELECT lookalike.records_table(c.id, c.generation) FROM lookalike.collections AS c WHERE c.id = $1);
    place text := 'none';
    own text;
BEGIN
    -- These triggers change nothing but the row that is written, which Citus cannot know.
    PERFORM set_config('citus.enable_unsafe_triggers', 'on', true);
    FOREACH own IN ARRAY ARRAY[records, format('thumbnails_%s', $1), format('originals_%s', $1)] LOOP
        IF tables IS NULL THEN
            EXECUTE 'SELECT create_distributed_table($1::regclass, NULL, colocate_with => $2)'
                USING format('lookalike.%I', own), place;
        ELSIF own = records THEN
            EXECUTE 'SELECT create_distributed_table($1::regclass, ''id'', colocate_with => $2, shard_count => $3)'
                USING format('lookalike.%I', own), place, tables;
        ELSE
            EXECUTE 'SELECT create_distributed_table($1::regclass, ''id'', colocate_with => $2)'
                USING format('lookalike.%I', own), place;
        END IF;
        place := format('lookalike.%I', records);
        IF own <> records THEN
            EXECUTE format(
                'ALTER TABLE lookalike.%I ADD CONSTRAINT %I
                     FOREIGN KEY (collection_id, id) REFERENCES lookalike.%I (collection_id, id) ON DELETE CASCADE',
                own, own || '_record_fkey', records);
        END IF;
    END LOOP;
    -- Citus leaves the rows here, where nobody sees them.
    EXECUTE 'SELECT truncate_local_data_after_distributing_table($1::regclass)' USING format('lookalike.%I', records);
    EXECUTE format(
        'CREATE TRIGGER note_expiry_of_new BEFORE INSERT ON lookalike.%I
             FOR EACH ROW WHEN (NEW.attributes ? ''_expires_at'') EXECUTE FUNCTION lookalike.note_expiry(''distributed'')',
        records);
    EXECUTE format(
        'CREATE TRIGGER note_expiry_of_changed BEFORE UPDATE OF attributes ON lookalike.%I
             FOR EACH ROW WHEN (NEW.attributes ? ''_expires_at'' OR OLD.expires_at IS NOT NULL)
             EXECUTE FUNCTION lookalike.note_expiry(''distributed'')',
        records);
    PERFORM lookalike.grant_rights();
END;
$$;

COMMENT ON FUNCTION lookalike.distribute_collection(integer, integer) IS
    'Puts the records of a collection on the workers of Citus. Caller''s rights.';
