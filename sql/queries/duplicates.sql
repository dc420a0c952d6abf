-- Named queries on stored duplicates: pairs that are kept up to date, groups, decisions, the trash.

-- name: begin
-- Begins a scan and returns the generation of the vectors that it compares.
SELECT lookalike.begin_duplicate_scan(:collection_id, :radius) AS generation;

-- name: choose
-- Says whether a scan that begins stores pairs by hash, too.
UPDATE lookalike.duplicate_scans AS s SET hashes = :hashes WHERE s.collection_id = :collection_id;

-- name: forget
-- Forgets the stored pairs of a collection and says whether there were any.
SELECT lookalike.forget_duplicates(:collection_id) AS forgotten;

-- name: state
-- How far the stored pairs of a collection are.
SELECT s.radius, s.generation, s.compared_to, s.begun_at, s.completed_at,
       n.pending, n.noted_to, s.hashes
FROM lookalike.duplicate_scans AS s
CROSS JOIN LATERAL (
    SELECT count(DISTINCT c.id) AS pending, coalesce(max(c.sequence), 0) AS noted_to
    FROM lookalike.duplicate_changes AS c WHERE c.collection_id = s.collection_id
) AS n
WHERE s.collection_id = :collection_id;

-- name: advance
-- Notes that the pairs of records up to an id are stored, or, without one, that all are. No row: another scan began.
UPDATE lookalike.duplicate_scans AS s
SET compared_to = coalesce(:compared_to, s.compared_to),
    completed_at = CASE WHEN :compared_to::text IS NULL THEN now() END
WHERE s.collection_id = :collection_id AND s.generation = :generation AND s.radius = :radius
RETURNING s.collection_id;

-- name: insert_pairs
-- Stores pairs; one that is stored gets the distances.
INSERT INTO lookalike.duplicate_pairs AS p (collection_id, one, other, distance, hash_distance)
SELECT :collection_id, least(new.one, new.other), greatest(new.one, new.other), new.distance, new.by_hash
FROM unnest(:ones::text[] COLLATE "C", :others::text[] COLLATE "C", :distances::double precision[], :by_hash::double precision[])
    AS new (one, other, distance, by_hash)
ON CONFLICT (collection_id, one, other) DO UPDATE SET distance = excluded.distance, hash_distance = excluded.hash_distance;

-- name: insert_copies
-- Stores which records are copies of which.
INSERT INTO lookalike.duplicate_copies AS c (collection_id, id, first)
SELECT :collection_id, new.id, new.first FROM unnest(:ids::text[], :firsts::text[]) AS new (id, first)
ON CONFLICT (collection_id, id) DO UPDATE SET first = excluded.first;

-- name: changes
-- The oldest notes of records that were written since their pairs were made, up to a note.
SELECT c.id, c.sequence FROM lookalike.duplicate_changes AS c
WHERE c.collection_id = :collection_id AND c.sequence <= :up_to ORDER BY c.sequence LIMIT /*limit*/ 1000 /*end*/;

-- name: settle
-- Deletes notes that are done with.
DELETE FROM lookalike.duplicate_changes AS c WHERE c.collection_id = :collection_id AND c.sequence = ANY (:sequences);

-- name: copies_of
-- The copies of these records.
SELECT c.id FROM lookalike.duplicate_copies AS c WHERE c.collection_id = :collection_id AND c.first = ANY (:ids);

-- name: firsts
-- Those of these records that are copies, and of which record each is one.
SELECT c.id, c.first FROM lookalike.duplicate_copies AS c WHERE c.collection_id = :collection_id AND c.id = ANY (:ids);

-- name: forget_pairs
-- Deletes all pairs of these records, and what copies they are.
WITH copies AS (
    DELETE FROM lookalike.duplicate_copies AS c WHERE c.collection_id = :collection_id AND c.id = ANY (:ids)
)
DELETE FROM lookalike.duplicate_pairs AS p
WHERE p.collection_id = :collection_id AND (p.one = ANY (:ids) OR p.other = ANY (:ids));

-- name: looks
-- The vectors and hashes of these records, those that have expired left out.
SELECT r.id, r.embedding, h.hash
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN lookalike.duplicate_hashes AS h ON h.collection_id = r.collection_id AND h.id = r.id
WHERE r.collection_id = :collection_id AND r.id = ANY (:ids) ORDER BY r.id;

-- name: all_looks
-- The vector and the hash of every record, in the order of the ids, for a cursor.
SELECT r.id, r.embedding, h.hash
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN lookalike.duplicate_hashes AS h ON h.collection_id = :collection_id AND h.id = r.id
ORDER BY r.collection_id, r.id;

-- name: unhashed
-- Some thumbnails after an id that have no hash yet, or that of an earlier thumbnail.
SELECT t.id, t.webp, decode(md5(t.webp), 'hex') AS of
FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t
LEFT JOIN lookalike.duplicate_hashes AS h ON h.collection_id = t.collection_id AND h.id = t.id
WHERE t.collection_id = :collection_id AND t.id > :after AND h.of IS DISTINCT FROM decode(md5(t.webp), 'hex')
ORDER BY t.id LIMIT /*limit*/ 500 /*end*/;

-- name: unhashed_of
-- Those of the thumbnails of these records that have no hash yet, or that of an earlier thumbnail.
SELECT t.id, t.webp, decode(md5(t.webp), 'hex') AS of
FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t
LEFT JOIN lookalike.duplicate_hashes AS h ON h.collection_id = t.collection_id AND h.id = t.id
WHERE t.collection_id = :collection_id AND t.id = ANY (:ids) AND h.of IS DISTINCT FROM decode(md5(t.webp), 'hex');

-- name: store_hashes
-- Stores hashes of thumbnails.
INSERT INTO lookalike.duplicate_hashes AS h (collection_id, id, hash, of)
SELECT :collection_id, new.id, new.hash, new.of FROM unnest(:ids::text[], :hashes::bytea[], :of::bytea[]) AS new (id, hash, of)
ON CONFLICT (collection_id, id) DO UPDATE SET hash = excluded.hash, of = excluded.of;

-- name: forget_hashes
-- Deletes the hashes of records that have no thumbnail any more.
DELETE FROM lookalike.duplicate_hashes AS h
WHERE h.collection_id = :collection_id AND NOT EXISTS (
    SELECT FROM /*thumbnails*/ lookalike.thumbnails /*end*/ AS t WHERE t.collection_id = h.collection_id AND t.id = h.id);

-- name: groups
-- A page of the groups of duplicates, with the number of all, and the suggestion of which record is kept where rules are given.
WITH found AS MATERIALIZED (
    SELECT g.*, row_number() OVER (ORDER BY /*ranking*/ g.size DESC, g.weakest, g.members /*end*/) AS place
    FROM lookalike.duplicate_groups(:name, :radius, :state) AS g
    WHERE :member::text IS NULL OR :member = ANY (g.members)
), counted AS (
    SELECT count(*) AS groups, coalesce(sum(f.size), 0)::bigint AS records FROM found AS f
)
SELECT counted.groups, counted.records, f.members, f.size, f.weakest, f.widest, f.complete, f.decision,
       n.newest, s.id AS suggestion, s.reason
FROM counted
LEFT JOIN found AS f ON f.place > :offset AND f.place <= :end
LEFT JOIN LATERAL (
    SELECT max(r.created_at) AS newest FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE r.collection_id = :collection_id AND r.id = ANY (f.members)
) AS n ON TRUE
LEFT JOIN LATERAL lookalike.suggest_keeper(:name, f.members, :rules) AS s ON TRUE
ORDER BY f.place;

-- name: pairs
-- The direct pairs among some records within a radius by either kind of evidence, nearest first, with those of copies.
WITH members AS (
    SELECT m.id, coalesce(c.first, m.id) AS first
    FROM unnest(:ids::text[] COLLATE "C") AS m (id)
    LEFT JOIN lookalike.duplicate_copies AS c ON c.collection_id = :collection_id AND c.id = m.id
)
SELECT a.id AS one, b.id AS other, coalesce(p.distance, 0) AS distance, p.hash_distance,
       coalesce(x.digest = y.digest, false) AS same_file
FROM members AS a
JOIN members AS b ON a.id < b.id
LEFT JOIN lookalike.duplicate_pairs AS p
    ON p.collection_id = :collection_id AND p.one = least(a.first, b.first) AND p.other = greatest(a.first, b.first)
JOIN /*records*/ lookalike.records /*end*/ AS x ON x.collection_id = :collection_id AND x.id = a.id
JOIN /*records*/ lookalike.records /*end*/ AS y ON y.collection_id = :collection_id AND y.id = b.id
WHERE a.first = b.first OR least(p.distance, p.hash_distance) <= :radius
ORDER BY least(coalesce(p.distance, 0), p.hash_distance), one, other
LIMIT /*limit*/ 100 /*end*/;

-- name: listed_pairs
-- The stored pairs of matching records within a radius, nearest first, with those of copies. No row where the pairs are not
-- stored within this radius, not all of them, or those of other vectors; a row without ids where there are none.
WITH scan AS (
    SELECT s.collection_id FROM lookalike.duplicate_scans AS s
    WHERE s.collection_id = :collection_id AND s.generation = :generation AND s.radius >= :radius
        AND s.completed_at IS NOT NULL
), members AS MATERIALIZED (
    SELECT r.id, coalesce(c.first, r.id) AS first
    FROM /*records*/ lookalike.records /*end*/ AS r
    LEFT JOIN lookalike.duplicate_copies AS c ON c.collection_id = :collection_id AND c.id = r.id
    WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/
), found AS (
    SELECT least(a.id, b.id) AS one, greatest(a.id, b.id) AS other, p.distance
    FROM lookalike.duplicate_pairs AS p
    JOIN members AS a ON a.first = p.one
    JOIN members AS b ON b.first = p.other
    WHERE p.collection_id = :collection_id AND p.distance <= :radius
    UNION ALL
    SELECT a.id, b.id, 0 FROM members AS a JOIN members AS b ON b.first = a.first AND b.id > a.id
    ORDER BY distance, one, other LIMIT :wanted OFFSET :passed
)
SELECT f.one, f.other, f.distance FROM scan LEFT JOIN found AS f ON TRUE ORDER BY f.distance, f.one, f.other;

-- name: resolve
-- Decides about a group, and returns the number of the decision.
SELECT lookalike.resolve_duplicates(:name, :keep, :remove, :merge, :days, :reason, :made_by) AS decision;

-- name: dismissed
-- The latest decision that says of all these records, with the pictures that they have, that they are no duplicates.
SELECT d.id AS decision, d.made_by FROM lookalike.duplicate_decisions AS d
WHERE d.collection_id = :collection_id AND d.kind = 'dismissed' AND d.undone_at IS NULL AND d.members @> :members::text[]
    AND NOT EXISTS (
        SELECT FROM lookalike.outdated_dismissals(:collection_id, :records) AS o
        WHERE o.decision = d.id AND o.member = ANY (:members::text[]))
ORDER BY d.id DESC LIMIT 1;

-- name: check_merge
-- Refuses rules of a merge that are none.
SELECT lookalike.merged_attributes(n.attributes, '[]', :merge) AS merged FROM (VALUES ('{}'::jsonb), (NULL)) AS n (attributes)
WHERE n.attributes IS NOT NULL;

-- name: check_rules
-- Refuses rules of which record is kept that are none.
SELECT s.id FROM lookalike.suggest_keeper(:name, '{}', :rules) AS s;

-- name: preview
-- The attributes of the record that is kept before and after those of the removed are merged into it.
SELECT p.before, p.after FROM lookalike.preview_resolution(:name, :keep, :remove, :merge) AS p;

-- name: dismiss
-- Decides that records are no duplicates, and returns the number of the decision.
SELECT lookalike.dismiss_duplicates(:name, :members, :reason, :made_by) AS decision;

-- name: undo
-- Undoes a decision, and says of each record that it had removed what became of it.
SELECT u.id, u.outcome FROM lookalike.undo_decision(:name, :decision, :undone_by) AS u ORDER BY u.id;

-- name: decisions
-- Decisions about a collection, the latest first, before a number; `trashed` are the numbers of the removed in the trash.
SELECT d.id AS decision, d.kind, d.members, d.removed, d.reason, d.merged, d.made_at, d.made_by, d.undone_at, d.undone_by,
       d.restored, coalesce((SELECT jsonb_object_agg(t.id, t.number) FROM lookalike.trash AS t
                 WHERE t.collection_id = d.collection_id AND t.decision_id = d.id AND t.purge_at > now()), '{}') AS trashed
FROM lookalike.duplicate_decisions AS d
WHERE d.collection_id = :collection_id AND (:before::bigint IS NULL OR d.id < :before)
ORDER BY d.id DESC LIMIT /*limit*/ 100 /*end*/;

-- name: remove
-- Moves records into the trash and returns the ids of those that were stored.
SELECT lookalike.remove_to_trash(:name, :ids, :days, :removed_by) AS removed;

-- name: restore
-- Brings records back from the trash, and says of each what became of it.
SELECT t.id, t.outcome FROM lookalike.restore_from_trash(:name, :ids) AS t ORDER BY t.id;

-- name: purge
-- Deletes records in the trash for good, and returns their number.
SELECT lookalike.purge_trash(:name, :ids, :everything) AS purged;

-- name: trashed
-- Records in the trash, the latest that were removed first, before a number.
SELECT t.number, t.id, t.attributes::text AS attributes, t.removed_at, t.removed_by, t.purge_at, t.decision_id AS decision
FROM lookalike.trash AS t
WHERE t.collection_id = :collection_id AND t.purge_at > now() AND (:before::bigint IS NULL OR t.number < :before)
ORDER BY t.number DESC LIMIT /*limit*/ 100 /*end*/;

-- name: trashed_thumbnail
-- The thumbnail of a record in the trash, by its number.
SELECT t.thumbnail FROM lookalike.trash AS t
WHERE t.collection_id = :collection_id AND t.number = :number AND t.purge_at > now();

-- name: count_trashed
-- How many records are in the trash.
SELECT count(*) AS records FROM lookalike.trash AS t WHERE t.collection_id = :collection_id AND t.purge_at > now();

-- name: purge_due
-- Deletes some records in the trash that can come back no longer, of all collections, and returns how many there were.
WITH doomed AS (
    SELECT t.number FROM lookalike.trash AS t WHERE t.purge_at <= now() LIMIT /*limit*/ 500 /*end*/ FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM lookalike.trash AS t USING doomed WHERE t.number = doomed.number RETURNING t.number
)
SELECT count(*) AS purged FROM gone;
