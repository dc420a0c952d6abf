-- Counts of the values of fields, over the records that match a filter. One statement is made of these parts: `taken`
-- reads the records once, for all facets, `limits` finds the bounds of a histogram in it, and `groups` groups it; then each
-- facet has `group`, its own groups, `elements` or `places`, the single values in those, and `values` or `ranges` over these.

-- name: taken
-- What the records hold in the facets' fields: text of the collation "C" for single values, jsonb where ranges are counted.
-- It is materialised where a histogram reads it twice: a second scan of the records takes longer.
SELECT /*fields*/ (r.attributes->'brand')::text COLLATE "C" AS v0 /*end*/
FROM /*records*/ lookalike.records /*end*/ AS r
WHERE /*filter*/ TRUE /*end*/;

-- name: limits
-- The least and the greatest number in a field, those in lists too, and the bounds of equally wide ranges between them.
-- The inner ones have the 15 digits that a double precision number keeps, so that whoever sends them back in a filter
-- sends what was counted by.
SELECT m.low, m.high, CASE WHEN m.low IS NOT NULL THEN ARRAY(
    SELECT DISTINCT cut.at
    FROM generate_series(1, /*bins*/ 10 /*end*/ - 1) AS part,
        LATERAL (SELECT ((m.low + (m.high - m.low) * part / /*bins*/ 10 /*end*/)::double precision)::numeric AS at) AS cut
    WHERE cut.at > m.low AND cut.at < m.high
    ORDER BY cut.at
) END AS cuts
FROM (
    SELECT min(CASE jsonb_typeof(v.value)
            WHEN 'number' THEN v.value::numeric
            WHEN 'array' THEN (SELECT min(a.value::numeric) FROM jsonb_array_elements(v.value) AS a
                               WHERE jsonb_typeof(a.value) = 'number') END) AS low,
        max(CASE jsonb_typeof(v.value)
            WHEN 'number' THEN v.value::numeric
            WHEN 'array' THEN (SELECT max(a.value::numeric) FROM jsonb_array_elements(v.value) AS a
                               WHERE jsonb_typeof(a.value) = 'number') END) AS high
    FROM (
        SELECT /*field*/ t.v0::jsonb /*end*/ AS value
        FROM /*taken*/ (SELECT NULL::text COLLATE "C" AS v0) /*end*/ AS t
        WHERE /*filter*/ TRUE /*end*/
        OFFSET 0
    ) AS v
) AS m;

-- name: cuts
-- The bounds of a facet's ranges.
SELECT b.cuts FROM /*bounds*/ (SELECT '{0}'::numeric[] AS cuts, NULL::numeric AS low, NULL::numeric AS high) /*end*/ AS b;

-- name: groups
-- What each facet's field holds, as text, and how many records hold it; the row of all records has the greatest `facet`.
-- Text of the collation "C" is grouped in half the time of jsonb; values of one number in two spellings, and lists with
-- common elements, are brought together afterwards.
SELECT grouping(/*columns*/ q.v0 /*end*/) AS facet, coalesce(/*columns*/ q.v0 /*end*/) AS value, /*counts*/ count(*)::integer AS n0 /*end*/
FROM (
    SELECT /*fields*/ t.v0 /*end*/ FROM /*taken*/ (SELECT NULL::text COLLATE "C" AS v0) /*end*/ AS t
) AS q
GROUP BY GROUPING SETS (/*sets*/ (q.v0) /*end*/, ());

-- name: group
-- The groups of one facet. In the collation "C" a JSON text of a number is what lies between '-' and ':'.
SELECT g.value, g./*count*/n0/*end*/ AS n, /*chosen*/ FALSE /*end*/ AS selected, g.value >= '-' AND g.value < ':' AS is_number
FROM /*groups*/ (SELECT 1 AS facet, NULL::text COLLATE "C" AS value, 0 AS n0) /*end*/ AS g
WHERE g.facet = /*facet*/ 1 /*end*/ AND g./*count*/n0/*end*/ > 0;

-- name: elements
-- The single values in the groups, as JSON text, each once a group: those of a list are its elements. A number has one
-- spelling. A group without any value (no field, null, a list of nothing but nulls) has one row, whose value is null.
SELECT CASE WHEN g.is_number THEN trim_scale(g.value::numeric)::text ELSE nullif(g.value, 'null') END AS value, g.n
FROM /*group*/ (SELECT NULL::text AS value, 0 AS n, FALSE AS is_number) /*end*/ AS g
WHERE g.value IS NULL OR NOT starts_with(g.value, '[')
UNION ALL
SELECT e.value, g.n
FROM /*group*/ (SELECT NULL::text AS value, 0 AS n, FALSE AS is_number) /*end*/ AS g
LEFT JOIN LATERAL (
    SELECT DISTINCT CASE WHEN jsonb_typeof(a.value) = 'number' THEN trim_scale(a.value::numeric)::text ELSE a.value::text END AS value
    FROM jsonb_array_elements(g.value::jsonb) AS a
    WHERE a.value <> 'null'::jsonb
) AS e ON TRUE
WHERE starts_with(g.value, '[');

-- name: values
-- A facet of single values, as JSON: the most frequent first, then in the order of their JSON text. `selected` are
-- those that the filter's own condition on the field lets through; they are listed wherever they stand.
WITH counted AS MATERIALIZED (
    SELECT e.value, sum(e.n) AS n
    FROM /*elements*/ (SELECT NULL::text AS value, 0 AS n) /*end*/ AS e
    WHERE /*prefix*/ e.value IS NOT NULL /*end*/
    GROUP BY e.value
    HAVING sum(e.n) >= /*min_count*/ 1 /*end*/
), first AS (
    SELECT c.value, c.n FROM counted AS c ORDER BY c.n DESC, c.value COLLATE "C" LIMIT /*limit*/ 20 /*end*/
), listed AS (
    SELECT r.value, r.n, /*selected*/ FALSE /*end*/ AS selected
    FROM (
        SELECT u.value, u.n, /*record*/ jsonb_build_object('brand', u.value::jsonb) /*end*/ AS attributes
        FROM /*chosen_from*/ first /*end*/ AS u
    ) AS r
), kept AS (
    SELECT l.value, l.n, l.selected FROM listed AS l WHERE l.selected OR EXISTS (SELECT FROM first AS f WHERE f.value = l.value)
)
SELECT json_build_object(
    'values', coalesce(
        (SELECT json_agg(json_build_object('value', k.value::json, 'count', k.n, 'selected', k.selected)
                         ORDER BY k.n DESC, k.value COLLATE "C") FROM kept AS k), '[]'),
    'other', coalesce(sum(c.n), 0) - coalesce((SELECT sum(k.n) FROM kept AS k), 0),
    'distinct', count(*),
    'missing', (SELECT coalesce(sum(e.n), 0) FROM /*elements*/ (SELECT NULL::text AS value, 0 AS n) /*end*/ AS e
                WHERE e.value IS NULL),
    'exact', TRUE)
FROM counted AS c;

-- name: places
-- In which range of a facet how many records have a number, `place`; 0 is below the first bound. A list counts once for
-- each range that it has a number in. Below 0: -1 for records whose values are no numbers, -2 for records without any.
SELECT CASE WHEN g.is_number THEN g.value::integer WHEN g.value <> 'null' THEN -1 ELSE -2 END AS place, g.n, g.selected
FROM /*group*/ (SELECT NULL::text AS value, 0 AS n, FALSE AS selected, FALSE AS is_number) /*end*/ AS g
WHERE g.value IS NULL OR NOT starts_with(g.value, '[')
UNION ALL
SELECT CASE WHEN p.place IS NOT NULL THEN p.place WHEN g.value::jsonb @? 'strict $[*] ? (@.type() != "null")' THEN -1 ELSE -2 END,
    g.n, p.selected
FROM /*group*/ (SELECT NULL::text AS value, 0 AS n, FALSE AS selected, FALSE AS is_number) /*end*/ AS g
LEFT JOIN LATERAL (
    SELECT r.place, bool_and(/*selected*/ FALSE /*end*/) AS selected
    FROM (
        SELECT width_bucket(e.value::numeric, /*cuts*/ '{0}'::numeric[] /*end*/) AS place,
            /*record*/ jsonb_build_object('price', e.value) /*end*/ AS attributes
        FROM jsonb_array_elements(g.value::jsonb) AS e
        WHERE jsonb_typeof(e.value) = 'number'
    ) AS r
    GROUP BY r.place
) AS p ON TRUE
WHERE starts_with(g.value, '[');

-- name: ranges
-- A facet of ranges of numbers, as JSON, in their order; `value` is the condition that a filter takes. A range is
-- selected if the filter's own condition on the field lets all numbers in it through that were counted.
WITH counted AS MATERIALIZED (
    SELECT p.place, sum(p.n) AS n, bool_and(p.selected) AS selected
    FROM /*places*/ (SELECT 0 AS place, 0 AS n, FALSE AS selected) /*end*/ AS p
    GROUP BY p.place
)
SELECT json_build_object(
    'values', coalesce(json_agg(
        json_build_object(
            'value', json_strip_nulls(json_build_object(
                '$gte', CASE WHEN bin = 0 THEN b.low ELSE b.cuts[bin] END,
                '$lt', b.cuts[bin + 1],
                '$lte', CASE WHEN bin = cardinality(b.cuts) THEN b.high END)),
            'count', coalesce(c.n, 0), 'selected', coalesce(c.selected, FALSE))
        ORDER BY bin) FILTER (WHERE bin IS NOT NULL), '[]'),
    'other', coalesce((SELECT o.n FROM counted AS o WHERE o.place = -1), 0),
    'missing', coalesce((SELECT o.n FROM counted AS o WHERE o.place = -2), 0),
    'exact', TRUE)
FROM /*bounds*/ (SELECT '{0}'::numeric[] AS cuts, NULL::numeric AS low, NULL::numeric AS high) /*end*/ AS b
LEFT JOIN LATERAL generate_series(0, cardinality(b.cuts)) AS bin ON TRUE
LEFT JOIN counted AS c ON c.place = bin;

-- name: total
-- The number of all records.
SELECT g./*count*/n0/*end*/ AS total
FROM /*groups*/ (SELECT 1 AS facet, NULL::text COLLATE "C" AS value, 0 AS n0) /*end*/ AS g
WHERE g.facet = /*facet*/ 1 /*end*/;
