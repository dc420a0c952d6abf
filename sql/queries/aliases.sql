-- Named queries on aliases: names that lead to collections.

-- name: set
-- Makes a name lead to a collection and returns the name of the one that it led to.
SELECT lookalike.set_alias(:alias, :collection) AS before;

-- name: drop
-- Removes an alias and says whether there was one.
SELECT lookalike.drop_alias(:alias) AS dropped;

-- name: list
-- Every alias with its collection, by name.
SELECT a.name, c.name AS collection, c.service, a.set_at
FROM lookalike.aliases AS a
JOIN lookalike.collections AS c ON c.id = a.collection_id
ORDER BY a.name;

-- name: of
-- The aliases of a collection, by name.
SELECT a.name FROM lookalike.aliases AS a WHERE a.collection_id = :id ORDER BY a.name;

-- name: find
-- The name of the collection that an alias leads to.
SELECT c.name FROM lookalike.aliases AS a JOIN lookalike.collections AS c ON c.id = a.collection_id WHERE a.name = :alias;

-- name: locked_out
-- Tokens that may use one collection and not another, by number.
SELECT t.id FROM lookalike.tokens AS t
WHERE NOT t.all_collections AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
  AND EXISTS (SELECT FROM lookalike.token_collections AS g JOIN lookalike.collections AS c ON c.id = g.collection_id
              WHERE g.token_id = t.id AND c.name = :before)
  AND NOT EXISTS (SELECT FROM lookalike.token_collections AS g JOIN lookalike.collections AS c ON c.id = g.collection_id
                  WHERE g.token_id = t.id AND c.name = :now)
ORDER BY t.id;
