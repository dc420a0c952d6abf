-- Named queries on a cluster of Citus, run where its extension is in the database (app/db/cluster.py).

-- name: extension
-- The version of Citus in this database; NULL where it is not there.
SELECT (SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'citus') AS version,
       current_setting('wal_level') AS wal_level;

-- name: detach
-- Takes the tables of a collection out of those of all collections.
SELECT lookalike.detach_collection(:id);

-- name: distribute
-- Puts the records of a collection on the workers, in so many tables; NULL: in one.
SELECT lookalike.distribute_collection(:id, :tables::integer);

-- name: triggers
-- Triggers of a table of records that do more than note when a record expires.
SELECT t.tgname AS name FROM pg_catalog.pg_trigger AS t
WHERE t.tgrelid = pg_catalog.to_regclass(:records_table::text) AND NOT t.tgisinternal AND t.tgname NOT LIKE 'note_expiry_of_%'
ORDER BY t.tgname;

-- name: distributed
-- Whether the records of any collection lie on workers.
SELECT EXISTS (
    SELECT FROM lookalike.collections AS c
    CROSS JOIN LATERAL lookalike.placement(lookalike.records_table(c.id, c.generation)) AS p
    WHERE p.layout <> 'local'
) AS "any";
