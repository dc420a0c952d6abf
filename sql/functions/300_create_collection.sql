-- Creates a collection: its row, its partitions of `records`, `thumbnails` and `originals`, the view of its
-- records.
--
-- Result: the id of the collection. SQLSTATE 23505 where the name is taken, 23514 where an argument is out of range.
-- Locks: SHARE UPDATE EXCLUSIVE on the parents (ATTACH, not PARTITION OF), so that running searches, also those
--   that go through the parents, are not held up.
-- Rights: the caller's, who must own the tables: the owner, not `lookalike_app`. The roles get theirs on the partitions.
--   Called by the command line and by tests.
CREATE OR REPLACE FUNCTION lookalike.create_collection(
    name text,
    service text,
    model text,
    model_revision text,
    dimensions integer,
    distance_scale double precision,
    capacity bigint DEFAULT NULL,
    settings jsonb DEFAULT '{}'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    new_id integer;
    records_partition text;
    kind text;
BEGIN
    INSERT INTO lookalike.collections AS c
        (name, service, model, model_revision, dimensions, distance_scale, capacity, settings)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING c.id INTO new_id;

    records_partition := lookalike.add_records_table(new_id, 1, dimensions);
    PERFORM lookalike.add_attributes_index(records_partition);
    EXECUTE format(
        'ALTER TABLE lookalike.records ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
        records_partition, new_id);

    FOREACH kind IN ARRAY ARRAY['thumbnails', 'originals'] LOOP
        EXECUTE format(
            'CREATE TABLE lookalike.%I
                 (LIKE lookalike.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
            format('%s_%s', kind, new_id), kind);
        -- The key reaches the partition itself: a record that is deleted takes what belongs to it along, also in plain
        -- SQL.
        EXECUTE format(
            'ALTER TABLE lookalike.%I
                 ADD PRIMARY KEY (collection_id, id),
                 ADD CHECK (collection_id = %s),
                 ADD FOREIGN KEY (collection_id, id) REFERENCES lookalike.%I ON DELETE CASCADE',
            format('%s_%s', kind, new_id), new_id, records_partition);
        EXECUTE format(
            'ALTER TABLE lookalike.%I ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
            kind, format('%s_%s', kind, new_id), new_id);
    END LOOP;
    PERFORM lookalike.create_collection_view(new_id);
    PERFORM lookalike.grant_rights();
    RETURN new_id;
END;
$$;

COMMENT ON FUNCTION lookalike.create_collection(text, text, text, text, integer, double precision, bigint, jsonb) IS
    'Creates a collection and its partitions; returns its id. Caller''s rights.';
