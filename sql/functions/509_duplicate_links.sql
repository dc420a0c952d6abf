-- What holds groups of duplicates together: the stored pairs among some records within a radius, and copies with their first.
--
-- Arguments: the id of the collection; the ids, in their order, of records that have not expired, all copies among them;
--   the radius.
-- Result: a row a link: the places of its records among the ids, the lesser of its distances, by the model and by hash, and
--   whether the one is a copy of the other. Where the first of several copies has expired, the next one stands for it
--   until it is deleted.
-- Rights: the caller's. Fixed search_path. Called by duplicate_groups.
CREATE OR REPLACE FUNCTION lookalike.duplicate_links(collection_id integer, ids text[], within double precision)
RETURNS TABLE (one integer, other integer, distance double precision, copy boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        WITH places AS MATERIALIZED (
            SELECT u.id, u.place::integer FROM unnest(ids) WITH ORDINALITY AS u (id, place)
        ), standing AS MATERIALIZED (
            SELECT h.id, h.place FROM places AS h
            UNION ALL
            SELECT s.first, min(h.place) FROM lookalike.duplicate_copies AS s
            JOIN places AS h ON h.id = s.id
            WHERE s.collection_id = $1 AND NOT EXISTS (SELECT FROM places AS f WHERE f.id = s.first)
            GROUP BY s.first
        )
        SELECT a.place, b.place, p.distance, p.copy
        FROM (
            SELECT q.one, q.other, least(q.distance, q.hash_distance) AS distance, false AS copy
            FROM lookalike.duplicate_pairs AS q
            WHERE q.collection_id = $1 AND least(q.distance, q.hash_distance) <= within
            UNION ALL
            SELECT s.first, s.id, 0, true FROM lookalike.duplicate_copies AS s WHERE s.collection_id = $1
        ) AS p
        JOIN standing AS a ON a.id = p.one
        JOIN standing AS b ON b.id = p.other
        WHERE a.place <> b.place;
END;
$$;

COMMENT ON FUNCTION lookalike.duplicate_links(integer, text[], double precision) IS
    'Internal: what holds groups of duplicates together, by the places of records. Caller''s rights.';
