-- Named queries on crowds: copies of one vector that stand beside the HNSW index (app/db/crowds.py).

-- name: there_are
-- Whether a table of records has crowds.
SELECT EXISTS (SELECT FROM lookalike.crowds AS c WHERE c.records_table = :table_name) AS there_are;

-- name: in_full
-- Those of these indexes that do not leave out records in crowds, with the condition of those of single values.
SELECT t.relname::text AS name, p.condition
FROM pg_catalog.pg_class AS t
JOIN pg_catalog.pg_index AS i ON i.indexrelid = t.oid
LEFT JOIN lookalike.partial_indexes AS p ON p.index_name = t.relname::text
WHERE t.relnamespace = 'lookalike'::regnamespace AND t.relname = ANY (:names::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.objid = t.oid AND d.refobjid = i.indrelid AND a.attname = 'crowd');

-- name: has_trigger
-- Whether further records of crowds are kept out of the indexes of a table of records.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_trigger AS t
    WHERE t.tgrelid = pg_catalog.to_regclass('lookalike.' || :table_name::text) AND t.tgname = 'keep_copies_apart'
) AS has_trigger;

-- name: is_valid
-- Whether an index is there and its build ended.
SELECT i.indisvalid AS valid FROM pg_catalog.pg_index AS i WHERE i.indexrelid = pg_catalog.to_regclass(:index::text);

-- name: due
-- Whether to look for copies: nobody did, or as many were written since as are enough; by default a tenth of the records,
-- and 1,000 at least. A counter that is below what was noted was reset since (a crash resets it) and counts from 0.
SELECT looked.writes IS NULL
       OR now.writes - CASE WHEN now.writes >= looked.writes THEN looked.writes ELSE 0 END
          >= coalesce(:enough::bigint, greatest(1000, now.rows / 10.0)) AS due
FROM (
    SELECT (c.settings -> 'looked_for_copies' ->> 'writes')::bigint AS writes FROM lookalike.collections AS c WHERE c.id = :id
) AS looked
CROSS JOIN LATERAL (
    SELECT t.reltuples AS rows,
           pg_catalog.pg_stat_get_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_tuples_updated(t.oid) AS writes
    FROM pg_catalog.pg_class AS t WHERE t.oid = pg_catalog.to_regclass('lookalike.' || :table_name::text)
) AS now;

-- name: note_look
-- Notes with a collection how much had been written to its records when copies were looked for.
UPDATE lookalike.collections AS c
SET settings = c.settings || jsonb_build_object('looked_for_copies', jsonb_build_object('writes', (
    SELECT pg_catalog.pg_stat_get_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_tuples_updated(t.oid)
    FROM pg_catalog.pg_class AS t WHERE t.oid = pg_catalog.to_regclass('lookalike.' || :table_name::text))))
WHERE c.id = :id;

-- name: copies
-- The records in the graph that are too many there: of each crowd, and of each vector of which there are more than `most`,
-- all but the first `kept`. Reads every record.
WITH many AS (
    SELECT hash_array_extended(r.embedding::real[], 0) AS digest
    FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.crowd IS NULL
    GROUP BY 1
    HAVING count(*) > :most
)
SELECT placed.id
FROM (
    SELECT r.id, row_number() OVER (PARTITION BY many.digest, r.embedding ORDER BY r.id) AS place
    FROM /*records*/ lookalike.records /*end*/ AS r
    JOIN many ON many.digest = hash_array_extended(r.embedding::real[], 0)
    WHERE r.crowd IS NULL
) AS placed
WHERE placed.place > :kept;

-- name: enter
-- Enters the vectors of some records among the crowds.
INSERT INTO lookalike.crowds AS c (records_table, digest, collection_id, embedding)
SELECT DISTINCT ON (made.digest) :table_name, made.digest, :id, r.embedding
FROM /*records*/ lookalike.records /*end*/ AS r
CROSS JOIN LATERAL (SELECT hash_array_extended(r.embedding::real[], 0) AS digest) AS made
WHERE r.collection_id = :id AND r.id = ANY (:ids::text[])
ORDER BY made.digest, r.id
ON CONFLICT ON CONSTRAINT crowds_pkey DO NOTHING;

-- name: set_apart
-- Sets those of some records apart whose vector is a crowd's; the trigger looks it up once more.
UPDATE /*records*/ lookalike.records /*end*/ AS r
SET crowd = c.digest
FROM lookalike.crowds AS c
WHERE r.collection_id = :id AND r.id = ANY (:ids::text[]) AND r.crowd IS NULL
  AND c.records_table = :table_name AND c.digest = hash_array_extended(r.embedding::real[], 0)
  AND c.embedding::real[] = r.embedding::real[];
