-- The view of each collection that was there before collections had one, or before records could expire: made where it is
-- missing, and given the condition where it lacks it. What is built on a view stays.
DO $$
DECLARE
    old record;
BEGIN
    PERFORM lookalike.create_collection_view(c.id)
    FROM lookalike.collections AS c
    WHERE lookalike.collection_view(c.id) IS NULL;
    FOR old IN
        SELECT v.name, pg_get_viewdef(format('lookalike.%I', v.name)::regclass) AS definition
        FROM lookalike.collections AS c
        CROSS JOIN LATERAL lookalike.collection_view(c.id) AS v (name)
        WHERE v.name IS NOT NULL
    LOOP
        IF old.definition NOT LIKE '%expires_at%' THEN
            EXECUTE format('CREATE OR REPLACE VIEW lookalike.%I AS %s WHERE expires_at IS NULL OR expires_at > now()',
                           old.name, rtrim(old.definition, ';'));
        END IF;
    END LOOP;
END;
$$;
