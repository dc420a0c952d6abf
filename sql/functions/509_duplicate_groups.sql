-- Groups of duplicates: the records that hang together by stored pairs within a radius.
--
-- Arguments: the name of the collection; the radius on the API's scale, itself within, at most that of the scan, which NULL
--   stands for; which groups: 'open', those that nobody has dismissed, 'dismissed', 'all'.
-- Result: a row a group, the largest first, then those that lie nearest. `members`: their ids. `weakest`: the distance of
--   the farthest pair that holds the group together: within a lesser radius it falls apart. `widest`: the greatest
--   distance of its pairs. `complete`: whether every two members are within the radius; where not, it is a chain: A looks
--   like B and B like C, but A not like C. `decision`: the number of the decision that dismissed it. SQLSTATE P0002: no
--   such collection; 55000: its pairs are not stored, not all of them, or those of vectors
--   that were made anew since; 22023: the radius is none or beyond that of the scan, or an unknown kind.
--   Records that were written since the pairs were brought up to date (lookalike.duplicate_states) are as before.
--   A pair lies at the lesser of its distances: by the model, and by hash where both pictures have one. A dismissal does
--   not count where the picture of a member is another now.
-- Method: connected components, by the pairs in the order of their distances (Kruskal's), so that the last pair that
--   joins two parts is the weakest link (single linkage).
-- Rights: the owner's, so that lookalike_reader may ask. Fixed search_path. Called by the server and by anyone.
CREATE OR REPLACE FUNCTION lookalike.duplicate_groups(
    collection text, radius double precision DEFAULT NULL, state text DEFAULT 'open'
) RETURNS TABLE (
    members text[], size integer, weakest double precision, widest double precision, complete boolean, decision bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    scan lookalike.duplicate_scans;
    within double precision;
    ids text[];
    pair record;
    root integer;
    other_root integer;
    parents integer[];
    weakest_of double precision[];
    widest_of double precision[];
    pairs_of integer[];
    copies_of integer[];
BEGIN
    IF state IS NULL OR state NOT IN ('open', 'dismissed', 'all') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%L is no kind of groups: open, dismissed or all', state);
    END IF;
    space := lookalike.collection_space(collection);
    SELECT s.* INTO scan FROM lookalike.duplicate_scans AS s WHERE s.collection_id = space.id;
    IF NOT FOUND THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('the pairs of the collection %L are not stored', collection),
            HINT = format('lookalike duplicates scan %s', collection);
    END IF;
    IF scan.completed_at IS NULL
        OR scan.generation <> (SELECT c.generation FROM lookalike.collections AS c WHERE c.id = space.id)
    THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('the pairs of the collection %L are not complete, or its vectors were made anew', collection),
            HINT = format('lookalike duplicates scan %s', collection);
    END IF;
    within := coalesce(radius, scan.radius);
    IF NOT within BETWEEN 0 AND 1e6 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the radius is a number, 0 to 1000000';
    END IF;
    IF within > scan.radius THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the radius %s is beyond that of the stored pairs, %s', within, scan.radius),
            HINT = format('lookalike duplicates scan %s --radius %s', collection, within);
    END IF;
    EXECUTE format(
        'SELECT array_agg(q.id ORDER BY q.id) FROM (
             SELECT p.one AS id FROM lookalike.duplicate_pairs AS p
             WHERE p.collection_id = $1 AND least(p.distance, p.hash_distance) <= $2
             UNION SELECT p.other FROM lookalike.duplicate_pairs AS p
             WHERE p.collection_id = $1 AND least(p.distance, p.hash_distance) <= $2
             UNION SELECT s.id FROM lookalike.duplicate_copies AS s WHERE s.collection_id = $1
             UNION SELECT s.first FROM lookalike.duplicate_copies AS s WHERE s.collection_id = $1
         ) AS q JOIN %s AS r ON r.collection_id = $1 AND r.id = q.id', lookalike.unexpired(space.id, space.records))
        INTO ids USING space.id, within;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    parents := ARRAY(SELECT generate_series(1, cardinality(ids)));
    weakest_of := array_fill(0.0, ARRAY[cardinality(ids)]);
    widest_of := weakest_of;
    pairs_of := array_fill(0, ARRAY[cardinality(ids)]);
    copies_of := pairs_of;
    FOR pair IN
        SELECT l.one, l.other, l.distance, l.copy FROM lookalike.duplicate_links(space.id, ids, within) AS l
        ORDER BY l.distance, l.one, l.other
    LOOP
        root := pair.one;
        WHILE parents[root] <> root LOOP
            parents[root] := parents[parents[root]];
            root := parents[root];
        END LOOP;
        other_root := pair.other;
        WHILE parents[other_root] <> other_root LOOP
            parents[other_root] := parents[parents[other_root]];
            other_root := parents[other_root];
        END LOOP;
        IF root <> other_root THEN
            parents[greatest(root, other_root)] := least(root, other_root);
            pairs_of[least(root, other_root)] := pairs_of[root] + pairs_of[other_root];
            copies_of[least(root, other_root)] := copies_of[root] + copies_of[other_root];
            root := least(root, other_root);
            weakest_of[root] := pair.distance;
        END IF;
        widest_of[root] := pair.distance;
        IF pair.copy THEN
            copies_of[root] := copies_of[root] + 1;
        ELSE
            pairs_of[root] := pairs_of[root] + 1;
        END IF;
    END LOOP;
    -- The least place of a group is its root, and stands before all others: one pass leads everything there.
    FOR place IN 1 .. cardinality(ids) LOOP
        parents[place] := parents[parents[place]];
    END LOOP;
    RETURN QUERY
        WITH outdated AS MATERIALIZED (
            SELECT o.decision, o.member FROM lookalike.outdated_dismissals(space.id, space.records) AS o
        )
        SELECT g.members, g.size, g.weakest, g.widest, g.complete, g.decision FROM (
            SELECT f.*, (
                SELECT d.id FROM lookalike.duplicate_decisions AS d
                WHERE d.collection_id = space.id AND d.kind = 'dismissed' AND d.undone_at IS NULL
                    AND d.members @> f.members
                    AND NOT EXISTS (SELECT FROM outdated AS o WHERE o.decision = d.id AND o.member = ANY (f.members))
                ORDER BY d.id DESC LIMIT 1
            ) AS decision
            FROM (
                SELECT array_agg(u.id ORDER BY u.place) AS members, count(*)::integer AS size,
                       weakest_of[u.root] AS weakest, widest_of[u.root] AS widest,
                       -- A copy stands in no pair: those of its first are its own.
                       pairs_of[u.root] = (count(*) - copies_of[u.root]) * (count(*) - copies_of[u.root] - 1) / 2 AS complete
                FROM unnest(ids, parents) WITH ORDINALITY AS u (id, root, place)
                GROUP BY u.root
                HAVING count(*) > 1
            ) AS f
        ) AS g
        WHERE state = 'all' OR (state = 'dismissed') = (g.decision IS NOT NULL)
        ORDER BY g.size DESC, g.weakest, g.members;
END;
$$;

COMMENT ON FUNCTION lookalike.duplicate_groups(text, double precision, text) IS
    'Groups of duplicates by stored pairs, the largest first: members, weakest link, whether it is a chain. Owner''s rights.';
