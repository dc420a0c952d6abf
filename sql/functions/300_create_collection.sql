-- Creates a collection: its row, its partition of `records`, its partition of `thumbnails`.
--
-- Result: the id of the collection. SQLSTATE 23505 where the name is taken, 23514 where an argument is out of range.
-- Locks: SHARE UPDATE EXCLUSIVE on the two parents (ATTACH, not PARTITION OF), so that running searches, also those
--   that go through the parents, are not held up.
-- Rights: the caller's; the caller must own the tables. Called by the command line and by tests.
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
AS $$
DECLARE
    new_id integer;
    records_partition text;
    thumbnails_partition text;
BEGIN
    INSERT INTO lookalike.collections AS c
        (name, service, model, model_revision, dimensions, distance_scale, capacity, settings)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING c.id INTO new_id;

    records_partition := format('records_%s', new_id);
    thumbnails_partition := format('thumbnails_%s', new_id);

    EXECUTE format(
        'CREATE TABLE lookalike.%I (LIKE lookalike.records INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
             WITH (toast_tuple_target = 4080)',
        records_partition);
    -- The CHECK on collection_id is the partition's bound: ATTACH then needs no scan.
    EXECUTE format(
        'ALTER TABLE lookalike.%I
             ADD PRIMARY KEY (collection_id, id),
             ADD CHECK (collection_id = %s),
             ADD CHECK (vector_dims(embedding) = %s),
             ALTER COLUMN attributes SET STATISTICS 1000',
        records_partition, new_id, dimensions);
    EXECUTE format(
        'ALTER TABLE lookalike.records ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
        records_partition, new_id);

    EXECUTE format(
        'CREATE TABLE lookalike.%I (LIKE lookalike.thumbnails INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
        thumbnails_partition);
    -- The key reaches the partition itself: a record that is deleted takes its thumbnail along, also in plain SQL.
    EXECUTE format(
        'ALTER TABLE lookalike.%I
             ADD PRIMARY KEY (collection_id, id),
             ADD CHECK (collection_id = %s),
             ADD FOREIGN KEY (collection_id, id) REFERENCES lookalike.%I ON DELETE CASCADE',
        thumbnails_partition, new_id, records_partition);
    EXECUTE format(
        'ALTER TABLE lookalike.thumbnails ATTACH PARTITION lookalike.%I FOR VALUES IN (%s)',
        thumbnails_partition, new_id);
    RETURN new_id;
END;
$$;

COMMENT ON FUNCTION lookalike.create_collection(text, text, text, text, integer, double precision, bigint, jsonb) IS
    'Creates a collection and its partitions; returns its id.';
