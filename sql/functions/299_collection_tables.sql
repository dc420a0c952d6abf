-- The tables of a collection: made one by one, and made its partitions by `attach_collection`.
--
-- `create_like` makes a table like another, without the checks that the parent does not have; `add_side_table` one for
--   thumbnails or originals by it. The template is the parent, or a table of another collection: then the parent is not
--   locked, and other collections may be dropped while the transaction lasts.
-- `attach_collection` adds indexes and keys that are not there yet, makes the tables partitions, and the collection's view.
--   Whoever copies a collection fills the tables before: no foreign key is checked row by row then.
-- Locks: `attach_collection` takes SHARE UPDATE EXCLUSIVE on the parents (ATTACH, not PARTITION OF), so that running
--   searches, also those that go through the parents, are not held up.
-- Rights: the caller's, who must own the tables. Called by create_collection and begin_copy, the last by queries, too.
CREATE OR REPLACE FUNCTION lookalike.create_like(made text, template text, parent text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    own name;
BEGIN
    EXECUTE format(
        'CREATE TABLE lookalike.%I (LIKE lookalike.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
        made, template);
    FOR own IN
        SELECT k.conname FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'c' AND k.conrelid = format('lookalike.%I', made)::regclass
            AND k.conname NOT IN (SELECT p.conname FROM pg_catalog.pg_constraint AS p
                                  WHERE p.conrelid = format('lookalike.%I', parent)::regclass)
    LOOP
        EXECUTE format('ALTER TABLE lookalike.%I DROP CONSTRAINT %I', made, own);
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lookalike.create_like(text, text, text) IS
    'Internal: makes a table like another, without checks of its own. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.add_side_table(kind text, collection_id integer, template text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made constant text := format('%s_%s', kind, collection_id);
BEGIN
    PERFORM lookalike.create_like(made, template, kind);
    EXECUTE format(
        'ALTER TABLE lookalike.%I ADD PRIMARY KEY (collection_id, id), ADD CHECK (collection_id = %s)',
        made, collection_id);
END;
$$;

COMMENT ON FUNCTION lookalike.add_side_table(text, integer, text) IS
    'Internal: makes the table of a collection''s thumbnails or originals, not yet a partition. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.attach_collection(collection_id integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    records_partition constant text := lookalike.records_table(collection_id, 1);
    kind text;
BEGIN
    -- What reads rows comes first: nobody waits for it, as the parents are locked from the first ATTACH on.
    PERFORM lookalike.add_attributes_index(records_partition);
    FOREACH kind IN ARRAY ARRAY['thumbnails', 'originals'] LOOP
        -- The key reaches the partition itself: a record that is deleted takes what belongs to it along, also in plain
        -- SQL.
        EXECUTE format(
            'ALTER TABLE lookalike.%I
                 ADD FOREIGN KEY (collection_id, id) REFERENCES lookalike.%I ON DELETE CASCADE',
            format('%s_%s', kind, collection_id), records_partition);
    END LOOP;
    EXECUTE format(
        'ALTER TABLE lookalike.records ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
        records_partition, collection_id);
    FOREACH kind IN ARRAY ARRAY['thumbnails', 'originals'] LOOP
        EXECUTE format(
            'ALTER TABLE lookalike.%I ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
            kind, format('%s_%s', kind, collection_id), collection_id);
    END LOOP;
    PERFORM lookalike.create_collection_view(collection_id);
    PERFORM lookalike.grant_rights();
END;
$$;

COMMENT ON FUNCTION lookalike.attach_collection(integer) IS
    'Internal: makes the tables of a collection partitions, with all that belongs to them. Caller''s rights.';
