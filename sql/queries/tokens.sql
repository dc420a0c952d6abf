-- Named queries on tokens.

-- name: create
-- Stores a token by its digest and returns its id.
INSERT INTO lookalike.tokens (label, digest, scopes, all_collections)
VALUES (:label, :digest, :scopes, :all_collections)
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
-- What a token that is not revoked may do; `collections` is NULL where it means all of them.
SELECT t.id, t.scopes,
       CASE WHEN NOT t.all_collections THEN
           ARRAY(SELECT g.collection_id FROM lookalike.token_collections AS g WHERE g.token_id = t.id)
       END AS collections
FROM lookalike.tokens AS t
WHERE t.digest = :digest AND t.revoked_at IS NULL;

-- name: list
-- Every token, without anything that could be used in its place.
SELECT t.id, t.label, t.scopes, t.all_collections, t.created_at, t.revoked_at,
       ARRAY(SELECT c.name FROM lookalike.token_collections AS g
             JOIN lookalike.collections AS c ON c.id = g.collection_id
             WHERE g.token_id = t.id ORDER BY c.name) AS collections
FROM lookalike.tokens AS t
ORDER BY t.id;

-- name: revoke
-- Revokes a token for good and says whether there was one to revoke.
UPDATE lookalike.tokens SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL RETURNING id;
