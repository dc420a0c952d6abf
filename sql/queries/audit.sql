-- Named queries on the log of who changed what.

-- name: add
-- Notes a batch of entries, in their order.
INSERT INTO lookalike.audit_log (at, token_id, actor, action, collection, target, code, request_id)
SELECT e.at, e.token_id, e.actor, e.action, e.collection, e.target, e.code, e.request_id
FROM jsonb_to_recordset(:entries::jsonb) AS e (
    at timestamptz, token_id integer, actor text, action text, collection text, target text, code integer,
    request_id text);

-- name: trim
-- Forgets entries that are older than so many days.
DELETE FROM lookalike.audit_log WHERE at < now() - make_interval(days => :days);

-- name: list
-- The latest entries before one, of a token, of a collection, since a moment, where these are given; newest first.
SELECT l.id, l.at, coalesce(l.actor, nullif(t.label, '')) AS who, l.token_id, l.action, l.collection, l.target, l.code,
       l.request_id
FROM lookalike.audit_log AS l
LEFT JOIN lookalike.tokens AS t ON t.id = l.token_id
WHERE l.id < coalesce(:before, 9223372036854775807)
  AND (:token_id::integer IS NULL OR l.token_id = :token_id)
  AND (:collection::text IS NULL OR l.collection = :collection)
  AND (:since::timestamptz IS NULL OR l.at >= :since)
ORDER BY l.id DESC
LIMIT :most;
