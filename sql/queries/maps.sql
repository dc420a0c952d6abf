-- Named queries on maps: making one, keeping it up to date, and what is drawn of it.

-- name: begin
-- Begins to make a map and returns the generation of the vectors.
SELECT lookalike.begin_map(:collection_id, :seed) AS generation;

-- name: forget
-- Forgets the map of a collection and says whether there was one.
SELECT lookalike.forget_map(:collection_id) AS forgotten;

-- name: state
-- How far the map of a collection is; no row where it has none.
SELECT m.layout, m.generation, m.version, m.seed, m.places, m.made_at, p.points, p.placed, r.records
FROM lookalike.maps AS m
CROSS JOIN LATERAL (
    SELECT count(*) AS points, count(*) FILTER (WHERE q.placed) AS placed
    FROM lookalike.map_points AS q
    JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = q.collection_id AND r.id = q.id
    WHERE q.collection_id = m.collection_id
) AS p
CROSS JOIN LATERAL (SELECT count(*) AS records FROM /*records*/ lookalike.records /*end*/ AS r) AS r
WHERE m.collection_id = :collection_id;

-- name: version
-- Which layout of which vectors there is; no row where the collection has no map.
SELECT m.layout, m.generation, m.version, m.places FROM lookalike.maps AS m WHERE m.collection_id = :collection_id;

-- name: vectors
-- The vector of every record, in the order of the ids, for a cursor.
SELECT r.id, r.embedding FROM /*records*/ lookalike.records /*end*/ AS r ORDER BY r.collection_id, r.id;

-- name: insert_part
-- Keeps some of the records that a map is made of.
INSERT INTO lookalike.map_parts AS p (collection_id, part, ids, marks) VALUES (:collection_id, :part, :ids, :marks);

-- name: store_neighbours
-- Keeps the neighbours of a part. No row: another job began.
UPDATE lookalike.map_parts AS p SET neighbours = :neighbours
WHERE p.collection_id = :collection_id AND p.part = :part
RETURNING p.part;

-- name: parts
-- The records that a map is made of, and the neighbours that are known.
SELECT p.part, p.ids, p.marks, p.neighbours FROM lookalike.map_parts AS p
WHERE p.collection_id = :collection_id ORDER BY p.part;

-- name: forget_parts
-- Forgets what a job went on with.
DELETE FROM lookalike.map_parts AS p WHERE p.collection_id = :collection_id;

-- name: keep_draft
-- Keeps a layout on its way. No row: the vectors were made anew.
UPDATE lookalike.maps AS m SET draft = :draft
WHERE m.collection_id = :collection_id AND m.generation = :generation
RETURNING m.collection_id;

-- name: draft
-- The layout that was kept.
SELECT m.draft FROM lookalike.maps AS m WHERE m.collection_id = :collection_id;

-- name: replace
-- Begins another layout in place of the one that there is, and returns its version. No row: the vectors were made anew.
WITH gone AS (DELETE FROM lookalike.map_points AS p WHERE p.collection_id = :collection_id),
    without AS (DELETE FROM lookalike.map_clusters AS c WHERE c.collection_id = :collection_id)
UPDATE lookalike.maps AS m
SET layout = :layout, version = DEFAULT, places = :places, made_at = now(), draft = NULL
WHERE m.collection_id = :collection_id AND m.generation = :generation
RETURNING m.version;

-- name: insert_points
-- Stores where records lie: those that are stored still, with the vector that was laid out.
INSERT INTO lookalike.map_points AS p (collection_id, id, place, x, y, apart, cluster)
SELECT :collection_id, n.id, n.place, n.x, n.y, n.apart, nullif(n.cluster, -1)
FROM unnest(:ids::text[] COLLATE "C", :marks::text[], :places::integer[], :xs::real[], :ys::real[], :aparts::real[],
            :clusters::smallint[]) AS n (id, mark, place, x, y, apart, cluster)
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = :collection_id AND r.id = n.id
WHERE left(md5(halfvec_send(r.embedding)), 16) = n.mark;

-- name: insert_clusters
-- Stores the clusters of a layout.
INSERT INTO lookalike.map_clusters AS c (collection_id, cluster, x, y)
SELECT :collection_id, n.place - 1, n.x, n.y FROM unnest(:xs::real[], :ys::real[]) WITH ORDINALITY AS n (x, y, place);

-- name: drop_strays
-- Deletes the points of records that are not stored any more.
DELETE FROM lookalike.map_points AS p
WHERE p.collection_id = :collection_id
  AND NOT EXISTS (SELECT FROM /*records*/ lookalike.records /*end*/ AS r WHERE r.collection_id = p.collection_id AND r.id = p.id);

-- name: lock
-- The places that were given, of the layout of these vectors, until the transaction ends; no row where there is none.
SELECT m.places FROM lookalike.maps AS m
WHERE m.collection_id = :collection_id AND m.generation = :generation AND m.layout = 'neighbours' FOR NO KEY UPDATE;

-- name: unplaced
-- Some records that lie nowhere on the map yet.
SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
WHERE NOT EXISTS (SELECT FROM lookalike.map_points AS p WHERE p.collection_id = r.collection_id AND p.id = r.id)
ORDER BY r.id LIMIT /*limit*/ 200 /*end*/;

-- name: beside
-- Puts records beside their five nearest neighbours that were laid out, at the median of these: of the nearest records
-- that the index finds, or (the span `budget` is ALL) of all.
INSERT INTO lookalike.map_points AS p (collection_id, id, place, x, y, apart, cluster, placed)
SELECT :collection_id, f.id, :places + row_number() OVER (ORDER BY f.id) - 1, f.x, f.y, f.apart, f.cluster, true
FROM (
    SELECT u.id, percentile_cont(0.5) WITHIN GROUP (ORDER BY n.x) AS x, percentile_cont(0.5) WITHIN GROUP (ORDER BY n.y) AS y,
           avg(n.distance) AS apart, mode() WITHIN GROUP (ORDER BY n.cluster) AS cluster
    FROM /*records*/ lookalike.records /*end*/ AS u
    CROSS JOIN LATERAL (
        SELECT q.x, q.y, q.cluster, :scale * near.distance AS distance
        FROM (
            SELECT r.id, r.embedding::/*vector*/halfvec(256)/*end*/ <=> u.embedding::/*vector*/halfvec(256)/*end*/ AS distance
            FROM /*records*/ lookalike.records /*end*/ AS r
            WHERE /*part*/ TRUE /*end*/
            ORDER BY distance LIMIT /*budget*/ 500 /*end*/
        ) AS near
        JOIN lookalike.map_points AS q ON q.collection_id = :collection_id AND q.id = near.id AND NOT q.placed
        ORDER BY near.distance, near.id LIMIT 5
    ) AS n
    WHERE u.collection_id = :collection_id AND u.id = ANY (:ids)
    GROUP BY u.id
) AS f
RETURNING p.id;

-- name: give_places
-- Notes how many places were given.
UPDATE lookalike.maps AS m SET places = m.places + :given WHERE m.collection_id = :collection_id;

-- name: keep_outliers
-- Gives the records that are farthest apart places below a number, in exchange with those there that are least apart.
WITH far AS (
    SELECT p.id, p.place, p.apart FROM lookalike.map_points AS p
    WHERE p.collection_id = :collection_id AND p.apart IS NOT NULL ORDER BY p.apart DESC, p.id LIMIT :many
), outside AS (
    SELECT f.id, f.place, row_number() OVER (ORDER BY f.apart DESC, f.id) AS n FROM far AS f WHERE f.place >= :drawn
), inside AS (
    SELECT p.id, p.place, row_number() OVER (ORDER BY p.apart, p.id) AS n FROM lookalike.map_points AS p
    WHERE p.collection_id = :collection_id AND p.place < :drawn AND p.id NOT IN (SELECT f.id FROM far AS f)
), changed AS (
    SELECT o.id, i.place FROM outside AS o JOIN inside AS i ON i.n = o.n
    UNION ALL
    SELECT i.id, o.place FROM outside AS o JOIN inside AS i ON i.n = o.n
)
UPDATE lookalike.map_points AS p SET place = c.place
FROM changed AS c WHERE p.collection_id = :collection_id AND p.id = c.id;

-- name: another_version
-- Says that places are others than before.
UPDATE lookalike.maps AS m SET version = DEFAULT WHERE m.collection_id = :collection_id;

-- name: points
-- Where the first records lie, as one value: of each its place (int32), x and y (float32), the most significant byte first.
SELECT coalesce(string_agg(int4send(p.place) || float4send(p.x) || float4send(p.y), ''), '') AS points
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE p.collection_id = :collection_id AND p.place < :most;

-- name: ids
-- The ids of the first records, and their places.
SELECT p.place, p.id
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE p.collection_id = :collection_id AND p.place < :most;

-- name: values
-- What a field of the first records holds, as JSON; of a list its first element.
SELECT p.place, CASE WHEN jsonb_typeof(f.value) = 'array' THEN f.value -> 0 ELSE f.value END ::text AS value
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
CROSS JOIN LATERAL (SELECT /*field*/ r.attributes->'price' /*end*/ AS value) AS f
WHERE p.collection_id = :collection_id AND p.place < :most;

-- name: groups
-- The clusters of the first records.
SELECT p.place, p.cluster::text AS value
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE p.collection_id = :collection_id AND p.place < :most;

-- name: distances
-- How far the first records are from a vector, on the API's scale.
SELECT p.place, :scale * (r.embedding::/*vector*/halfvec(256)/*end*/ <=> :query::/*vector*/halfvec(256)/*end*/) AS value
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE p.collection_id = :collection_id AND p.place < :most;

-- name: outliers
-- The records that are farthest from their neighbours.
SELECT p.id, p.place, p.x, p.y, p.apart AS distance
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
WHERE p.collection_id = :collection_id AND p.apart IS NOT NULL
ORDER BY p.apart DESC, p.id LIMIT /*limit*/ 100 /*end*/;

-- name: clusters
-- The clusters, each with its size and the record that lies nearest to where it is densest.
SELECT DISTINCT ON (p.cluster) p.cluster, count(*) OVER (PARTITION BY p.cluster) AS size, p.id, p.place, c.x, c.y
FROM lookalike.map_points AS p
JOIN /*records*/ lookalike.records /*end*/ AS r ON r.collection_id = p.collection_id AND r.id = p.id
JOIN lookalike.map_clusters AS c ON c.collection_id = p.collection_id AND c.cluster = p.cluster
WHERE p.collection_id = :collection_id
ORDER BY p.cluster, (p.x - c.x) ^ 2 + (p.y - c.y) ^ 2, p.id;
