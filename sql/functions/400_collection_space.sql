-- What a search of one collection needs to know, by its name or an alias: the partition, the dimension, the scale, the index.
--
-- Argument: the name of the collection, or of an alias that leads to it.
-- Result: one row. `records` is the partition's quoted name; `half` the type of its vectors as the HNSW index has it,
--   halfvec(D); `cosine` the operator of the index; `pgvector` the schema of the extension. These four are text for
--   EXECUTE format('%s'), made of the catalogue's own names, never of a caller's text. `scale` turns a cosine distance (0 to 2) into the API's distance.
--   SQLSTATE P0002 where there is no such collection.
-- Rights: the caller's. Fixed search_path; pgvector is found in whatever schema it was installed.
-- Called by the functions of this folder that search; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.collection_space(
    collection text,
    OUT id integer,
    OUT records text,
    OUT dimensions integer,
    OUT scale double precision,
    OUT indexed boolean,
    OUT half text,
    OUT cosine text,
    OUT pgvector text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT c.id, format('lookalike.%I', r.name), c.dimensions, c.distance_scale,
           lookalike.is_indexed(c.id, c.generation),
           format('%I.halfvec(%s)', n.nspname, c.dimensions), format('OPERATOR(%I.<=>)', n.nspname),
           quote_ident(n.nspname)
    INTO id, records, dimensions, scale, indexed, half, cosine, pgvector
    FROM lookalike.collections AS c
    CROSS JOIN LATERAL (SELECT lookalike.records_table(c.id, c.generation) AS name) AS r
    CROSS JOIN pg_extension AS e
    JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE c.id = coalesce(
              (SELECT named.id FROM lookalike.collections AS named WHERE named.name = collection),
              (SELECT a.collection_id FROM lookalike.aliases AS a WHERE a.name = collection))
        AND e.extname = 'vector';
    IF NOT FOUND THEN
        RAISE no_data_found USING
            MESSAGE = format('there is no collection %L', collection),
            HINT = 'SELECT name FROM lookalike.collection_stats lists them.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.collection_space(text) IS
    'Internal: partition, dimension, scale and index of a collection, for the functions that search. Caller''s rights.';
