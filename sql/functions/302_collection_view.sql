-- The view of a collection: its records under its own name, for people who write SQL.
--
-- `create_collection_view` makes it anew, with the rights that were granted on it, and returns its name: the collection's own, in quotes where it needs them, or
--   collection_<id> where the name is longer than PostgreSQL's 63 bytes, taken by a table of the schema, or kept for one.
--   It has the records that have not expired. Its columns: id, attributes, embedding (halfvec of the collection's dimension), created_at, updated_at.
-- `collection_view` returns the name of the view that a collection has, by the view's comment; NULL where it has none.
-- Index: ORDER BY embedding <=> … LIMIT … on the view uses the HNSW index; a query on the view is one on the partition.
-- Rights: the caller's for the functions, who must own the tables; the view's, its owner's, so that SELECT on it is enough.
-- Called by create_collection, drop_collection and finish_reembedding.
CREATE OR REPLACE FUNCTION lookalike.collection_view(collection_id integer) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.relname::text
    FROM pg_class AS v
    WHERE v.relkind = 'v'
        AND v.relnamespace = 'lookalike'::regnamespace
        AND obj_description(v.oid, 'pg_class') LIKE format('The records of collection %s, %%', $1)
    LIMIT 1
$$;

COMMENT ON FUNCTION lookalike.collection_view(integer) IS
    'The name of the view of a collection''s records, by the collection''s id. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.create_collection_view(collection_id integer) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    collection text;
    space record;
    view_name text := lookalike.collection_view(collection_id);
    rights aclitem[];
    granted record;
BEGIN
    SELECT c.name INTO STRICT collection FROM lookalike.collections AS c WHERE c.id = collection_id;
    space := lookalike.collection_space(collection);
    IF view_name IS NOT NULL THEN
        SELECT v.relacl INTO rights FROM pg_class AS v WHERE v.oid = format('lookalike.%I', view_name)::regclass;
        EXECUTE format('DROP VIEW lookalike.%I', view_name);
    END IF;
    view_name := collection;
    IF octet_length(collection) > 63
        OR collection ~ '^(records|thumbnails|originals|collection)_[0-9]'
        OR EXISTS (SELECT FROM pg_class AS t
                   WHERE t.relnamespace = 'lookalike'::regnamespace AND t.relname = collection)
    THEN
        view_name := format('collection_%s', collection_id);
    END IF;
    EXECUTE format(
        'CREATE VIEW lookalike.%I AS
             SELECT r.id, r.attributes, r.embedding::%s AS embedding, r.created_at, r.updated_at FROM %s AS r
             WHERE r.expires_at IS NULL OR r.expires_at > now()',
        view_name, space.half, space.records);
    EXECUTE format('COMMENT ON VIEW lookalike.%I IS %L', view_name,
                   format('The records of collection %s, %s.', collection_id, collection));
    FOR granted IN
        SELECT a.grantee, a.privilege_type, a.is_grantable FROM aclexplode(rights) AS a WHERE a.grantee <> a.grantor
    LOOP
        EXECUTE format('GRANT %s ON lookalike.%I TO %s%s', granted.privilege_type, view_name,
            CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
    RETURN view_name;
END;
$$;

COMMENT ON FUNCTION lookalike.create_collection_view(integer) IS
    'Makes the view of a collection''s records anew; returns its name. Caller''s rights.';
