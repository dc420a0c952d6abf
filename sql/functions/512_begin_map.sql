-- Begins to make the map of a collection: what an earlier job left unfinished is forgotten, and from now on the points of
-- records are gone once these are. The map that there is stays until another takes its place, unless it is of other vectors.
--
-- Arguments: the id of the collection; the seed of what is drawn by lot.
-- Result: the generation of the vectors that are laid out. SQLSTATE P0002 where there is no such collection.
-- Locks: SHARE ROW EXCLUSIVE on the table of the records, for a moment, where it has no triggers yet: writers wait, searches
--   do not. Give the transaction a lock_timeout and try again.
-- Rights: the caller's; the caller must own the tables. Called by jobs of the kind `map`.
CREATE OR REPLACE FUNCTION lookalike.begin_map(collection_id integer, seed integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here integer;
    records text;
BEGIN
    SELECT c.generation INTO STRICT here FROM lookalike.collections AS c WHERE c.id = $1 FOR NO KEY UPDATE;
    records := lookalike.records_table($1, here);
    DELETE FROM lookalike.maps AS m WHERE m.collection_id = $1 AND m.generation <> here;
    DELETE FROM lookalike.map_parts AS p WHERE p.collection_id = $1;
    INSERT INTO lookalike.maps (collection_id, generation, layout, seed) VALUES ($1, here, 'none', $2)
    ON CONFLICT ON CONSTRAINT maps_pkey DO UPDATE SET draft = NULL, seed = excluded.seed, begun_at = now();
    IF NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = format('lookalike.%I', records)::regclass
                   AND t.tgname = 'forget_map_point') THEN
        EXECUTE format(
            'CREATE TRIGGER forget_map_point AFTER INSERT OR DELETE OR UPDATE OF id, embedding ON lookalike.%I
                 FOR EACH ROW EXECUTE FUNCTION lookalike.forget_map_point()', records);
        EXECUTE format(
            'CREATE TRIGGER forget_map_points BEFORE TRUNCATE ON lookalike.%I
                 FOR EACH STATEMENT EXECUTE FUNCTION lookalike.forget_map_point()', records);
    END IF;
    RETURN here;
END;
$$;

COMMENT ON FUNCTION lookalike.begin_map(integer, integer) IS
    'Begins to make the map of a collection; returns the generation of its vectors. Caller''s rights.';

-- Forgets the map of a collection, and looks after its points no more.
CREATE OR REPLACE FUNCTION lookalike.forget_map(collection_id integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    records text;
    own name;
BEGIN
    SELECT lookalike.records_table(c.id, c.generation) INTO STRICT records
    FROM lookalike.collections AS c WHERE c.id = $1 FOR NO KEY UPDATE;
    -- Those that are there: where Citus keeps the records it refuses to drop even one that is not.
    FOR own IN
        SELECT t.tgname FROM pg_trigger AS t
        WHERE t.tgrelid = format('lookalike.%I', records)::regclass
            AND t.tgname IN ('forget_map_point', 'forget_map_points')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON lookalike.%I', own, records);
    END LOOP;
    DELETE FROM lookalike.maps AS m WHERE m.collection_id = $1;
    RETURN FOUND;
END;
$$;

COMMENT ON FUNCTION lookalike.forget_map(integer) IS
    'Forgets the map of a collection; returns whether there was one. Caller''s rights.';
