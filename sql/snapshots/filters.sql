-- Generated from app/filters/operators.py; never edited by hand.
-- What a filter of each operator sends, ready for psql: the values that the program binds as parameters are
-- written here as literals.

-- $eq
-- {"brand": {"$eq": "Fila"}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."brand" == "Fila")'::jsonpath;

-- $ne
-- {"brand": {"$ne": "Fila"}}
SELECT id FROM lookalike.records WHERE NOT (attributes @? '$ ? (@."brand" == "Fila")'::jsonpath);

-- $gt
-- {"price": {"$gt": 200}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."price" > 200)'::jsonpath;

-- $gte
-- {"price": {"$gte": 200, "$lt": 300}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."price" >= 200 && @."price" < 300)'::jsonpath;

-- $lt
-- {"price": {"$lt": 30.5}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."price" < 30.5)'::jsonpath;

-- $lte
-- {"name": {"$lte": "Zebra"}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."name" <= "Zebra")'::jsonpath;

-- $in
-- {"brand": {"$in": ["Fila", "Puma"]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."brand" == "Fila" || @."brand" == "Puma"))'::jsonpath;

-- $nin
-- {"brand": {"$nin": ["Fila", "Puma"]}}
SELECT id FROM lookalike.records WHERE NOT (attributes @? '$ ? ((@."brand" == "Fila" || @."brand" == "Puma"))'::jsonpath);

-- $not
-- {"price": {"$not": {"$gt": 200}}}
SELECT id FROM lookalike.records WHERE NOT (attributes @? '$ ? (@."price" > 200)'::jsonpath);

-- $exists
-- {"discount": {"$exists": true}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (exists(@."discount"))'::jsonpath;

-- $type
-- {"price": {"$type": ["number", "null"]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (exists(@."price" ? ((@.type() == "null" || @.type() == "number"))))'::jsonpath;

-- $size
-- {"tags": {"$size": 2}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."tags".type() == "array" && @."tags".size() == 2))'::jsonpath;

-- $all
-- {"tags": {"$all": ["red", "new"]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."tags" == "red" && @."tags" == "new")'::jsonpath;

-- $elemMatch
-- {"items": {"$elemMatch": {"size": "M", "stock": {"$gt": 0}}}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."items".type() == "array" && exists(@."items" ? (@.type() == "object" && @."size" == "M" && @."stock" > 0))))'::jsonpath;

-- $regex
-- {"name": {"$regex": "^run.*shoe$"}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."name" like_regex "\\Arun[^\\n]*shoe(?=\\n?\\Z)" flag "s")'::jsonpath;

-- $options
-- {"name": {"$regex": "run", "$options": "i"}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."name" like_regex "run" flag "is")'::jsonpath;

-- $mod
-- {"stock": {"$mod": [12, 0]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (exists(@."stock" ? ((@.type() == "number" && (@ >= 0 && @ < 9223372036854775808 && @.floor() % 12 == 0 || @ < 0 && @ > -9223372036854775809 && @.ceiling() % 12 == 0)))))'::jsonpath;

-- $and
-- {"$and": [{"brand": "Fila"}, {"price": {"$gt": 200}}]}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."brand" == "Fila" && @."price" > 200)'::jsonpath;

-- $or
-- {"$or": [{"brand": "Fila"}, {"tags": "new"}]}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."brand" == "Fila" || @."tags" == "new"))'::jsonpath;

-- $nor
-- {"$nor": [{"brand": "Fila"}, {"price": {"$gt": 200}}]}
SELECT id FROM lookalike.records WHERE NOT (attributes @? '$ ? ((@."brand" == "Fila" || @."price" > 200))'::jsonpath);

-- everything
-- {}
SELECT id FROM lookalike.records WHERE TRUE;

-- equality, a number
-- {"price": 200}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."price" == 200)'::jsonpath;

-- equality, null or missing
-- {"brand": null}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."brand" == null || !exists(@."brand")))'::jsonpath;

-- equality, null or missing in documents of an array
-- {"items.size": null}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((exists(@."items" ? (@.type() == "object" && (@."size" == null || !exists(@."size")))) || !exists(@."items") || (@."items".type() != "object" && @."items".type() != "array")))'::jsonpath;

-- equality, a whole list
-- {"tags": ["red", "new"]}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (((@."tags".type() == "array" && @."tags".size() == 2 && (@."tags"[0].type() == "string" && @."tags"[0] == "red") && (@."tags"[1].type() == "string" && @."tags"[1] == "new")) || exists(@."tags" ? ((@.type() == "array" && @.size() == 2 && (@[0].type() == "string" && @[0] == "red") && (@[1].type() == "string" && @[1] == "new"))))))'::jsonpath;

-- equality, a whole object
-- {"dimensions": {"width": 3, "height": 4}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (exists(@."dimensions" ? ((@.type() == "object" && (@."width".type() == "number" && @."width" == 3) && (@."height".type() == "number" && @."height" == 4) && !exists(@.keyvalue() ? (@.key != "width" && @.key != "height"))))))'::jsonpath;

-- dotted path
-- {"items.size": "M"}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."items"."size" == "M")'::jsonpath;

-- position in an array
-- {"tags.0": "red"}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((exists(@."tags" ? (@.type() == "object" && @."0" == "red")) || (@."tags".type() == "array" && (@."tags"[0].type() == "string" && @."tags"[0] == "red"))))'::jsonpath;

-- position in an array, then a field
-- {"items.0.size": "M"}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((exists(@."items" ? (@.type() == "object" && exists(@."0" ? (@.type() == "object" && @."size" == "M")))) || (@."items".type() == "array" && exists(@."items"[0] ? (@.type() == "object" && @."size" == "M")))))'::jsonpath;

-- operator-first form
-- {"$gte": {"price": 200}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."price" >= 200)'::jsonpath;

-- several conditions become one jsonpath
-- {"brand": "Fila", "price": {"$gt": 20, "$lte": 50}, "tags": "x"}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."brand" == "Fila" && @."price" > 20 && @."price" <= 50 && @."tags" == "x")'::jsonpath;

-- a negation stands beside it
-- {"brand": "Fila", "price": {"$ne": 20}}
SELECT id FROM lookalike.records WHERE (attributes @? '$ ? (@."brand" == "Fila")'::jsonpath AND NOT (attributes @? '$ ? (@."price" == 20)'::jsonpath));

-- null among the choices
-- {"brand": {"$in": ["Fila", null]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."brand" == "Fila" || (@."brand" == null || !exists(@."brand"))))'::jsonpath;

-- a longer list becomes a decision tree
-- {"sku": {"$in": ["s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11"]}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (exists(@."sku" ? ((@.type() == "string" && (@ < "s06" && (@ < "s03" && (@ == "s00" || @ == "s01" || @ == "s02") || @ >= "s03" && (@ == "s03" || @ == "s04" || @ == "s05")) || @ >= "s06" && (@ < "s09" && (@ == "s06" || @ == "s07" || @ == "s08") || @ >= "s09" && (@ == "s09" || @ == "s10" || @ == "s11")))))))'::jsonpath;

-- operators about an element
-- {"scores": {"$elemMatch": {"$gte": 5, "$ne": 7}}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."scores".type() == "array" && exists(@."scores" ? ((@.type() == "number" && @ >= 5) && !((@.type() == "number" && @ == 7))))))'::jsonpath;

-- a negation inside $elemMatch
-- {"items": {"$elemMatch": {"size": "M", "stock": {"$not": {"$gt": 0}}}}}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? ((@."items".type() == "array" && exists(@."items" ? (@.type() == "object" && @."size" == "M" && !exists(@ ? (@."stock" > 0))))))'::jsonpath;

-- an indexed attribute, lower bound
-- {"price": {"$gte": 200}}
SELECT id FROM lookalike.records WHERE ((attributes->'price'::text) >= '200'::jsonb AND ((attributes->'price'::text) < 'false'::jsonb OR attributes @? (SELECT '$ ? (@."price" >= 200)'::jsonpath)) AND COALESCE((attributes->'price'::text), 'null'::jsonb) <> 'null'::jsonb);

-- an indexed attribute, upper bound
-- {"price": {"$lt": 200}}
SELECT id FROM lookalike.records WHERE ((((attributes->'price'::text) < '200'::jsonb AND (attributes->'price'::text) >= '-1e15'::jsonb) OR (((attributes->'price'::text) > 'true'::jsonb OR (attributes->'price'::text) < '-1e15'::jsonb) AND attributes @? (SELECT '$ ? (@."price" < 200)'::jsonpath))) AND COALESCE((attributes->'price'::text), 'null'::jsonb) <> 'null'::jsonb);

-- an indexed attribute, both bounds, and an equality
-- {"price": {"$gte": 20, "$lt": 30}, "brand": "Fila"}
SELECT id FROM lookalike.records WHERE (attributes @? '$ ? (@."brand" == "Fila")'::jsonpath AND ((((attributes->'price'::text) >= '20'::jsonb AND (attributes->'price'::text) < '30'::jsonb) OR ((attributes->'price'::text) > 'true'::jsonb AND attributes @? (SELECT '$ ? (@."price" >= 20 && @."price" < 30)'::jsonpath))) AND COALESCE((attributes->'price'::text), 'null'::jsonb) <> 'null'::jsonb));

-- keys and values are data
-- {"it's \"%s\" \\": "'); DROP TABLE lookalike.records; --"}
SELECT id FROM lookalike.records WHERE attributes @? '$ ? (@."it''s \"%s\" \\" == "''); DROP TABLE lookalike.records; --")'::jsonpath;

-- _id, one
-- {"_id": "a-17"}
SELECT id FROM lookalike.records WHERE id = 'a-17'::text;

-- _id, several
-- {"_id": {"$in": ["a-17", "a-18"]}}
SELECT id FROM lookalike.records WHERE id = ANY('{"a-17","a-18"}'::text[]);

-- _id, a range
-- {"_id": {"$gte": "a-", "$lt": "b-"}}
SELECT id FROM lookalike.records WHERE ((id >= 'a-'::text) AND (id < 'b-'::text));

-- _id, a regular expression
-- {"_id": {"$regex": "^a-"}}
SELECT id FROM lookalike.records WHERE to_jsonb(id) @? '$ ? ((@.type() == "string" && @ like_regex "\\Aa\\u002d" flag "s"))'::jsonpath;
