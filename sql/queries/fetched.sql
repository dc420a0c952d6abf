-- Named queries on URLs that imports fetched. URLs are known by their SHA-256, as they may be long and hold secrets.

-- name: known
-- What was fetched of URLs, and what to ask with whether it has changed.
SELECT f.url, f.place, f.digest, f.etag, f.modified FROM lookalike.fetched_urls AS f WHERE f.url = ANY (:urls);

-- name: note
-- Notes what was fetched, in place of what was fetched before; what is the same is touched once a day.
INSERT INTO lookalike.fetched_urls AS f (url, place, digest, etag, modified)
SELECT n.url, n.place, n.digest, n.etag, n.modified
FROM unnest(:urls::bytea[], :places::bytea[], :digests::bytea[], :etags::text[], :modified::text[])
    AS n (url, place, digest, etag, modified)
ON CONFLICT ON CONSTRAINT fetched_urls_pkey DO UPDATE
SET place = excluded.place, digest = excluded.digest, etag = excluded.etag, modified = excluded.modified, seen_at = now()
WHERE (f.place, f.digest, f.etag, f.modified)
      IS DISTINCT FROM (excluded.place, excluded.digest, excluded.etag, excluded.modified)
   OR f.seen_at < now() - interval '1 day';

-- name: forget
-- Forgets URLs that no import has met for long.
DELETE FROM lookalike.fetched_urls AS f WHERE f.seen_at < now() - make_interval(days => :days);
