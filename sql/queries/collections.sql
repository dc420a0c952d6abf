-- Named queries on collections. `:name` are parameters; marked spans are replaced by the program.

-- name: create
-- Creates a collection with its partitions and returns its id.
SELECT lookalike.create_collection(
    :name, :service, :model, :model_revision, :dimensions, :distance_scale, :capacity, :settings
) AS id;

-- name: drop
-- Drops a collection with all its records and says whether it existed.
SELECT lookalike.drop_collection(:id) AS dropped;

-- name: find
-- One collection by its name or an alias, with the state of its indexes read from the catalogue.
SELECT c.id, c.name, c.service, c.model, c.model_revision, c.dimensions, c.distance_scale, c.capacity,
       coalesce((c.settings ->> 'thumbnails')::boolean, true) AS thumbnails,
       coalesce((c.settings ->> 'keep_images')::boolean, false) AS keep_images,
       c.settings ->> 'product_field' AS product_field, c.generation, c.expires,
       (c.settings ->> 'recall_target')::double precision AS recall_target,
       (SELECT to_jsonb(m) FROM lookalike.index_recall AS m
        WHERE m.index_name = lookalike.records_table(c.id, c.generation) || '_hnsw'
          AND m.build = pg_catalog.pg_relation_filenode(pg_catalog.to_regclass('lookalike.' || m.index_name))::bigint
       ) AS recall,
       lookalike.is_indexed(c.id, c.generation) AS indexed,
       lookalike.is_crowded(lookalike.records_table(c.id, c.generation)) AS crowded,
       ARRAY(SELECT jsonb_array_elements_text(coalesce(c.settings -> 'indexed_fields', '[]'))) AS indexed_fields,
       p.layout, p.shards,
       coalesce(p.rows, (SELECT greatest(t.reltuples, 0)::bigint FROM pg_catalog.pg_class AS t
                         WHERE t.oid = pg_catalog.to_regclass('lookalike.' || lookalike.records_table(c.id, c.generation))), 0) AS rows,
       (SELECT jsonb_build_array(s.distance_us, s.match_us, s.candidate_us) FROM lookalike.search_costs AS s
        WHERE s.dimensions = c.dimensions) AS costs,
       coalesce((SELECT jsonb_agg(jsonb_build_array(
                     i.condition, coalesce((p.indexes ->> i.index_name)::bigint, greatest(t.reltuples, 0)::bigint),
                     (SELECT to_jsonb(m) FROM lookalike.index_recall AS m
                      WHERE m.index_name = i.index_name AND m.build = pg_catalog.pg_relation_filenode(t.oid)::bigint)))
                 FROM lookalike.partial_indexes AS i
                 JOIN pg_catalog.pg_class AS t ON t.oid = pg_catalog.to_regclass('lookalike.' || i.index_name)
                 JOIN pg_catalog.pg_index AS x ON x.indexrelid = t.oid AND x.indisvalid
                 WHERE i.collection_id = c.id
                   AND i.records_table = lookalike.records_table(c.id, c.generation)), '[]') AS partial_indexes
FROM lookalike.collections AS c
CROSS JOIN LATERAL lookalike.placement(lookalike.records_table(c.id, c.generation)) AS p
WHERE c.name = :name OR c.id = (SELECT a.collection_id FROM lookalike.aliases AS a WHERE a.name = :name);

-- name: list
-- Every collection with the catalogue's figures, by name.
SELECT s.name, s.service, s.model, s.dimensions, s.estimated_records, s.table_bytes, s.index_bytes,
       s.thumbnail_bytes, s.original_bytes, s.hnsw_index_ready, s.aliases, c.capacity, c.distance_scale, c.model_revision,
       coalesce((c.settings ->> 'keep_images')::boolean, false) AS keep_images,
       c.settings ->> 'product_field' AS product_field, c.created_at
FROM lookalike.collection_stats AS s
JOIN lookalike.collections AS c USING (id)
ORDER BY s.name;

-- name: models
-- The models that collections use, and those that they are being given.
SELECT c.model, c.model_revision AS revision FROM lookalike.collections AS c
UNION
SELECT e.model, e.model_revision FROM lookalike.reembeddings AS e
ORDER BY model;

-- name: expiring
-- The collections of which a record ever had an _expires_at, by name.
SELECT c.name FROM lookalike.collections AS c WHERE c.expires ORDER BY c.name;

-- name: lock
-- Keeps other inserts into a collection with a capacity out until the transaction ends; returns the capacity.
SELECT c.capacity FROM lookalike.collections AS c WHERE c.id = :id FOR NO KEY UPDATE;

-- name: add_indexed_field
-- Notes that an attribute of a collection has a B-tree of its own.
UPDATE lookalike.collections AS c
SET settings = jsonb_set(
    c.settings, '{indexed_fields}',
    (SELECT jsonb_agg(DISTINCT f)
     FROM jsonb_array_elements(coalesce(c.settings -> 'indexed_fields', '[]') || jsonb_build_array(:field::text)) AS f))
WHERE c.id = :id;

-- name: change
-- Sets settings of a collection, and its capacity where that is asked for. Says whether there was such a collection.
UPDATE lookalike.collections AS c
SET settings = c.settings || :settings::jsonb,
    capacity = CASE WHEN :sets_capacity::boolean THEN :capacity::bigint ELSE c.capacity END
WHERE c.name = :name
RETURNING c.id;

-- name: names
-- The names of the collections with these ids, of all of them where that is NULL.
SELECT c.name FROM lookalike.collections AS c
WHERE :ids::integer[] IS NULL OR c.id = ANY (:ids::integer[])
ORDER BY c.name;
