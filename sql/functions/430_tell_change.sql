-- Tells servers that what they remember was changed: a trigger of tokens, what these may use, collections and aliases.
-- Those that listen to `lookalike_tokens` or `lookalike_collections` hear of it once the transaction is committed, and
-- read it anew; that a token was used is no change.
--
-- Argument: the end of the channel's name, `tokens` or `collections`.
-- Rights: the caller's: everybody may notify.
CREATE OR REPLACE FUNCTION lookalike.tell_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('lookalike_' || TG_ARGV[0], '');
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lookalike.tell_change() IS
    'Tells servers that listen that tokens or collections were changed: a trigger. Caller''s rights.';

CREATE OR REPLACE TRIGGER tell_change AFTER DELETE OR UPDATE OF digest, scopes, all_collections, revoked_at, expires_at,
        requests_per_second, pictures_per_second, concurrent_searches ON lookalike.tokens
    FOR EACH ROW EXECUTE FUNCTION lookalike.tell_change('tokens');
CREATE OR REPLACE TRIGGER tell_change AFTER INSERT OR DELETE OR UPDATE ON lookalike.token_collections
    FOR EACH ROW EXECUTE FUNCTION lookalike.tell_change('tokens');
CREATE OR REPLACE TRIGGER tell_change AFTER DELETE OR UPDATE ON lookalike.collections
    FOR EACH ROW EXECUTE FUNCTION lookalike.tell_change('collections');
CREATE OR REPLACE TRIGGER tell_change AFTER INSERT OR DELETE OR UPDATE ON lookalike.aliases
    FOR EACH ROW EXECUTE FUNCTION lookalike.tell_change('collections');
