-- Named queries on backups: what a database holds, and which backups there are (app/db/backups.py).

-- name: versions
-- What a dump is of: the schema's revision, the versions of PostgreSQL and pgvector, the roles and their members.
SELECT (SELECT a.version_num FROM lookalike.alembic_version AS a) AS revision,
       current_setting('server_version') AS postgresql,
       (SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'vector') AS pgvector,
       ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles AS r
             WHERE r.rolname IN ('lookalike_app', 'lookalike_reader') ORDER BY 1) AS roles,
       ARRAY(SELECT DISTINCT format('%s: %s', g.rolname, m.rolname)
             FROM pg_catalog.pg_auth_members AS a
             JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid
             JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
             WHERE g.rolname IN ('lookalike_app', 'lookalike_reader') ORDER BY 1) AS members;

-- name: snapshot
-- Exports the snapshot of the transaction, for a dump of the same moment.
SELECT pg_catalog.pg_export_snapshot() AS snapshot;

-- name: distributed
-- The collections whose records Citus keeps on its workers, by name.
SELECT c.name
FROM lookalike.collections AS c
CROSS JOIN LATERAL lookalike.placement(lookalike.records_table(c.id, c.generation)) AS p
WHERE p.layout <> 'local' AND pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL
ORDER BY c.name;

-- name: collections
-- The collections, those with the most records first, as far as PostgreSQL knows, so that they get the most samples.
SELECT c.id, c.name, c.model, c.dimensions, c.distance_scale
FROM lookalike.collections AS c
LEFT JOIN LATERAL (
    SELECT t.reltuples FROM pg_catalog.pg_class AS t WHERE t.oid = pg_catalog.to_regclass('lookalike.records_' || c.id)
) AS t ON true
ORDER BY t.reltuples DESC NULLS LAST, c.name;

-- name: content
-- How many records there are, and a digest of their ids, attributes and vectors in whatever order. Reads every record.
SELECT count(*) AS records,
       coalesce(to_hex(bit_xor(('x' || left(encode(sha256(
           convert_to(r.id || chr(31) || r.attributes::text, 'UTF8') || halfvec_send(r.embedding)), 'hex'), 16)
       )::bit(64)::bigint)), '0') AS digest
FROM lookalike.records AS r WHERE r.collection_id = :collection_id;

-- name: samples
-- Some records with their vectors; each is as likely as another, and the choice is the same every time.
SELECT r.id, r.embedding, NULL::bytea AS hash
FROM lookalike.records AS r
WHERE r.collection_id = :collection_id AND (:ids::text[] IS NULL OR r.id = ANY (:ids::text[]))
ORDER BY hashtextextended(r.id, 0) LIMIT :number;

-- name: vectors
-- The vectors of all records.
SELECT r.id, r.embedding, NULL::bytea AS hash FROM lookalike.records AS r WHERE r.collection_id = :collection_id;

-- name: tables
-- The tables that hold rows; what the program writes anew at every start is none of them.
SELECT c.relname::text AS name
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'lookalike'::regnamespace AND c.relkind = 'r'
  AND c.relname NOT IN ('alembic_version', 'applied_sql', 'backups')
ORDER BY 1;

-- name: note
-- Notes a backup that was taken.
INSERT INTO lookalike.backups (name, place, begun_at, ended_at, bytes, records)
VALUES (:name, :place, :begun_at, now(), :bytes, :records)
ON CONFLICT (name, place) DO UPDATE SET ended_at = excluded.ended_at;

-- name: note_verified
-- Notes that a backup was restored into a scratch database, and what differed there.
UPDATE lookalike.backups AS b SET verified_at = :verified_at, differences = :differences
WHERE b.name = :name AND b.place = :place;

-- name: forget
-- Forgets backups that were deleted.
DELETE FROM lookalike.backups AS b WHERE b.place = :place AND b.name = ANY (:names::text[]);

-- name: latest
-- When the last backup was begun.
SELECT max(b.begun_at) AS begun_at FROM lookalike.backups AS b;

-- name: listed
-- The backups that were taken, the latest first, wherever they lie.
SELECT b.name, b.place, b.begun_at, extract(epoch FROM b.ended_at - b.begun_at)::double precision AS seconds, b.bytes,
       b.records, b.verified_at, b.differences
FROM lookalike.backups AS b ORDER BY b.begun_at DESC, b.place LIMIT :most;
