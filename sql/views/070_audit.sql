-- Who changed what, newest first: every request with a token that asks to write or to administer, and every command that
-- may change something, also where it was refused (`code`). A second behind; for LOOKALIKE_AUDIT_DAYS. `who` is the token's
-- label, or the user of the command line. What was written straight to the database is not here. With its owner's rights.
CREATE OR REPLACE VIEW lookalike.audit AS
SELECT
    l.at,
    coalesce(l.actor, nullif(t.label, '')) AS who,
    l.token_id,
    l.action,
    l.collection,
    l.target,
    l.code,
    l.request_id
FROM lookalike.audit_log AS l
LEFT JOIN lookalike.tokens AS t ON t.id = l.token_id
ORDER BY l.id DESC;

COMMENT ON VIEW lookalike.audit IS
    'Who changed what, newest first: when, by which token or user, where, with what outcome. With its owner''s rights.';
