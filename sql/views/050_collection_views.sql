-- The view of each collection that was there before collections had one: made where it is missing.
DO $$
BEGIN
    PERFORM lookalike.create_collection_view(c.id)
    FROM lookalike.collections AS c
    WHERE lookalike.collection_view(c.id) IS NULL;
END;
$$;
