-- Named queries of an export: whole records, and what columns a table of them needs.

-- name: stream
-- Every matching record with its vector, its box and whether its picture is kept, in the order of the ids, for a
-- cursor.
SELECT r.id, (/*fields*/ r.attributes /*end*/)::text AS attributes,
       CASE WHEN :embeddings THEN r.embedding::text END AS embedding, o.box, o.picture IS NOT NULL AS kept
FROM /*records*/ lookalike.records /*end*/ AS r
LEFT JOIN /*originals*/ lookalike.originals /*end*/ AS o ON o.collection_id = r.collection_id AND o.id = r.id
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/
ORDER BY r.collection_id, r.id;

-- name: count
-- The number of matching records.
SELECT count(*) AS n FROM /*records*/ lookalike.records /*end*/ AS r
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/;

-- name: boxed
-- Whether any record of the collection is a part of its picture.
SELECT EXISTS (SELECT 1 FROM /*originals*/ lookalike.originals /*end*/ AS o WHERE o.box IS NOT NULL) AS boxed;

-- name: columns
-- The names of the top-level attributes of the matching records, the commonest first, with the number of values of each
-- kind: `integer` fits 64 bits; `strings` are arrays of nothing but text; `json` is every other array, and objects.
SELECT e.key,
       CASE jsonb_typeof(e.value)
           WHEN 'number' THEN CASE WHEN x.number = trunc(x.number) AND x.number BETWEEN -9223372036854775808 AND 9223372036854775807
                                   THEN 'integer' ELSE 'number' END
           WHEN 'array' THEN CASE WHEN jsonb_path_exists(e.value, 'strict $[*] ? (@.type() != "string")')
                                  THEN 'json' ELSE 'strings' END
           WHEN 'object' THEN 'json'
           ELSE jsonb_typeof(e.value)
       END AS kind,
       count(*) AS n
FROM /*records*/ lookalike.records /*end*/ AS r
CROSS JOIN LATERAL jsonb_each(/*fields*/ r.attributes /*end*/) AS e (key, value)
CROSS JOIN LATERAL (
    SELECT CASE WHEN jsonb_typeof(e.value) = 'number' THEN (e.value #>> '{}')::numeric END
) AS x (number)
WHERE r.collection_id = :collection_id AND /*filter*/ TRUE /*end*/
GROUP BY 1, 2
ORDER BY sum(count(*)) OVER (PARTITION BY e.key) DESC, e.key
LIMIT /*limit*/ 5000 /*end*/;
