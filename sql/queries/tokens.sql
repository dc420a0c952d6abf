-- Named queries on tokens.

-- name: create
-- Stores a token by its digest and returns its id.
INSERT INTO lookalike.tokens
    (label, digest, scopes, all_collections, expires_at, requests_per_second, pictures_per_second, concurrent_searches,
     body_bytes, batch_records)
VALUES (:label, :digest, :scopes, :all_collections, :expires_at, :requests_per_second, :pictures_per_second,
        :concurrent_searches, :body_bytes, :batch_records)
RETURNING id;

-- name: grant
-- Grants collections, by name, to a token and returns the names that were found.
WITH granted AS (
    INSERT INTO lookalike.token_collections (token_id, collection_id)
    SELECT :token_id, c.id FROM lookalike.collections AS c WHERE c.name = ANY (:names)
    RETURNING collection_id
)
SELECT c.name FROM lookalike.collections AS c JOIN granted ON granted.collection_id = c.id;

-- name: find
-- What a token that is good now may do; `collections` is NULL where it means all of them.
SELECT t.id, t.scopes, t.label,
       CASE WHEN NOT t.all_collections THEN
           ARRAY(SELECT g.collection_id FROM lookalike.token_collections AS g WHERE g.token_id = t.id)
       END AS collections,
       t.requests_per_second, t.pictures_per_second, t.concurrent_searches, t.body_bytes, t.batch_records
FROM lookalike.tokens AS t
WHERE t.digest = :digest AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now());

-- name: list
-- Every token, without anything that could be used in its place.
SELECT t.id, t.label, t.scopes, t.all_collections, t.created_at, t.revoked_at, t.expires_at, t.last_used_at, t.replaces,
       t.requests_per_second, t.pictures_per_second, t.concurrent_searches, t.body_bytes, t.batch_records,
       CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked'
            WHEN t.expires_at <= now() THEN 'expired'
            ELSE 'good' END AS state,
       ARRAY(SELECT c.name FROM lookalike.token_collections AS g
             JOIN lookalike.collections AS c ON c.id = g.collection_id
             WHERE g.token_id = t.id ORDER BY c.name) AS collections
FROM lookalike.tokens AS t
ORDER BY t.id;

-- name: revoke
-- Revokes a token for good and says whether there was one to revoke.
UPDATE lookalike.tokens SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL RETURNING id;

-- name: replace
-- Stores a token with all that a good one may do, and returns its id; it lives as long as that one was to. No row where
-- that one is not good.
INSERT INTO lookalike.tokens
    (label, digest, scopes, all_collections, expires_at, replaces, requests_per_second, pictures_per_second,
     concurrent_searches, body_bytes, batch_records)
SELECT t.label, :digest, t.scopes, t.all_collections,
       coalesce(:expires_at::timestamptz, now() + (t.expires_at - t.created_at)), t.id,
       t.requests_per_second, t.pictures_per_second, t.concurrent_searches, t.body_bytes, t.batch_records
FROM lookalike.tokens AS t
WHERE t.id = :id AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
FOR UPDATE OF t
RETURNING id, expires_at;

-- name: regrant
-- Grants the collections of one token to another.
INSERT INTO lookalike.token_collections (token_id, collection_id)
SELECT :token_id, g.collection_id FROM lookalike.token_collections AS g WHERE g.token_id = :id;

-- name: fade
-- Has a token expire after so many seconds, unless it does so before; at once where there are none.
UPDATE lookalike.tokens
SET expires_at = least(expires_at, now() + make_interval(secs => :seconds)),
    revoked_at = CASE WHEN :seconds::double precision = 0 THEN now() END
WHERE id = :id;

-- name: change
-- Changes what is kept of a token that is not revoked, each only where it is said to; returns its id.
UPDATE lookalike.tokens
SET label = CASE WHEN 'label' = ANY (:names) THEN :label ELSE label END,
    expires_at = CASE WHEN 'expires_at' = ANY (:names) THEN :expires_at ELSE expires_at END,
    requests_per_second = CASE WHEN 'requests_per_second' = ANY (:names) THEN :requests_per_second
                               ELSE requests_per_second END,
    pictures_per_second = CASE WHEN 'pictures_per_second' = ANY (:names) THEN :pictures_per_second
                               ELSE pictures_per_second END,
    concurrent_searches = CASE WHEN 'concurrent_searches' = ANY (:names) THEN :concurrent_searches
                               ELSE concurrent_searches END,
    body_bytes = CASE WHEN 'body_bytes' = ANY (:names) THEN :body_bytes ELSE body_bytes END,
    batch_records = CASE WHEN 'batch_records' = ANY (:names) THEN :batch_records ELSE batch_records END
WHERE id = :id AND revoked_at IS NULL
RETURNING id;

-- name: used
-- Notes when tokens were used.
UPDATE lookalike.tokens AS t
SET last_used_at = greatest(t.last_used_at, u.at)
FROM unnest(:ids::integer[], :moments::timestamptz[]) AS u (id, at)
WHERE t.id = u.id;
