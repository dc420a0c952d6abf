"""Filters that must be refused, with the place the error names. Never is a part of a filter silently dropped."""

from decimal import Decimal
from typing import Any

from tests.cases.filtercase import RefusedCase as No


def nested(depth: int) -> dict[str, Any]:
    """Return a filter with that many `$and` inside one another."""
    found: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        found = {"$and": [found]}
    return found


def nested_not(depth: int) -> dict[str, Any]:
    """Return a filter with that many `$not` inside one another."""
    found: dict[str, Any] = {"$gt": 1}
    for _ in range(depth):
        found = {"$not": found}
    return {"a": found}


def nested_data(depth: int) -> dict[str, Any]:
    """Return a filter that compares with lists inside one another."""
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return {"a": {"$eq": found}}


# fmt: off

SHAPE = (
    No("filter-list", [], "$", "object"),
    No("filter-string", "x", "$", "object"),
    No("filter-null", None, "$", "object"),
    No("filter-number", 5, "$", "object"),
    No("filter-key-number", {5: 1}, "$", "strings"),
    No("data-key-number", {"a": {"$eq": {5: 1}}}, "$.a.$eq", "strings"),
    No("unknown-top", {"$foo": 1}, "$.$foo", "unknown operator"),
    No("unknown-where", {"$where": "1"}, "$.$where", "unknown operator"),
    No("unknown-expr", {"$expr": {}}, "$.$expr", "unknown operator"),
    No("unknown-text", {"$text": {"$search": "x"}}, "$.$text", "unknown operator"),
    No("unknown-comment", {"$comment": "x"}, "$.$comment", "unknown operator"),
    No("unknown-field", {"a": {"$foo": 1}}, "$.a.$foo", "unknown operator"),
    No("unknown-case", {"a": {"$GT": 1}}, "$.a.$GT", "unknown operator"),
    No("unknown-case-top", {"$OR": [{}]}, "$.$OR", "unknown operator"),
    No("unknown-only-dollar", {"a": {"$": 1}}, "$.a.$", "unknown operator"),
    No("unknown-near", {"a": {"$near": [1, 2]}}, "$.a.$near", "unknown operator"),
    No("unknown-ref", {"a": {"$ref": "x", "$id": 1}}, "$.a.$ref", "unknown operator"),
    No("unknown-second", {"a": {"$gt": 1, "$foo": 2}}, "$.a.$foo", "unknown operator"),
    No("unknown-nested", {"$or": [{"a": 1}, {"b": {"$foo": 1}}]}, "$.$or[1].b.$foo", "unknown operator"),
    No("unknown-deep", {"$and": [{"$nor": [{"a": {"$not": {"$foo": 1}}}]}]}, "$.$and[0].$nor[0].a.$not.$foo", "unkn"),
    No("unknown-reversed", {"$foo": {"a": 1}}, "$.$foo", "unknown operator"),
    No("unknown-in-elem-match", {"a": {"$elemMatch": {"$foo": 1}}}, "$.a.$elemMatch.$foo", "unknown operator"),
    No("unknown-in-elem-match-field", {"a": {"$elemMatch": {"x": {"$foo": 1}}}}, "$.a.$elemMatch.x.$foo", "unknown"),
    No("plain-after-operator", {"a": {"$gt": 1, "x": 2}}, "$.a.x", "beside operators"),
    No("plain-after-operator-not", {"a": {"$not": {"$gt": 1, "x": 2}}}, "$.a.$not.x", "beside operators"),
    No("and-under-field", {"a": {"$and": [{"$gt": 1}]}}, "$.a.$and", "under a field"),
    No("or-under-field", {"a": {"$or": [{"$gt": 1}]}}, "$.a.$or", "under a field"),
    No("nor-under-field", {"a": {"$nor": [{"$gt": 1}]}}, "$.a.$nor", "under a field"),
    No("or-under-not", {"a": {"$not": {"$or": [{"$gt": 1}]}}}, "$.a.$not.$or", "under a field"),
    No("and-after-operator-in-elem-match", {"a": {"$elemMatch": {"$gt": 1, "$or": [{"x": 1}]}}}, "$.a.$elemMatch.$or",
       "under a field"),
)

LOGIC = (
    No("and-empty", {"$and": []}, "$.$and", "non-empty"),
    No("or-empty", {"$or": []}, "$.$or", "non-empty"),
    No("nor-empty", {"$nor": []}, "$.$nor", "non-empty"),
    No("and-object", {"$and": {"a": 1}}, "$.$and", "list"),
    No("or-object", {"$or": {"a": 1, "b": 2}}, "$.$or", "list"),
    No("nor-string", {"$nor": "x"}, "$.$nor", "list"),
    No("or-null", {"$or": None}, "$.$or", "list"),
    No("or-scalar-inside", {"$or": [{"a": 1}, 5]}, "$.$or[1]", "object"),
    No("and-list-inside", {"$and": [[{"a": 1}]]}, "$.$and[0]", "object"),
    No("nor-null-inside", {"$nor": [None]}, "$.$nor[0]", "object"),
    No("not-number", {"a": {"$not": 5}}, "$.a.$not", "operators"),
    No("not-string", {"a": {"$not": "x"}}, "$.a.$not", "operators"),
    No("not-null", {"a": {"$not": None}}, "$.a.$not", "operators"),
    No("not-true", {"a": {"$not": True}}, "$.a.$not", "operators"),
    No("not-list", {"a": {"$not": [1]}}, "$.a.$not", "operators"),
    No("not-empty", {"a": {"$not": {}}}, "$.a.$not", "operators"),
    No("not-plain-object", {"a": {"$not": {"x": 1}}}, "$.a.$not", "operators"),
    No("not-bad-inside", {"a": {"$not": {"$in": 5}}}, "$.a.$not.$in", "list"),
    No("not-bad-regex-inside", {"a": {"$not": {"$regex": "("}}}, "$.a.$not.$regex", "group"),
    No("first-scalar", {"$gt": 5}, "$.$gt", "object"),
    No("first-list", {"$in": [1, 2]}, "$.$in", "object"),
    No("first-empty", {"$gte": {}}, "$.$gte", "object"),
    No("first-eq-scalar", {"$eq": 5}, "$.$eq", "object"),
    No("first-not-scalar", {"$not": 5}, "$.$not", "object"),
    No("first-not-plain", {"$not": {"a": 1}}, "$.$not.a", "operators"),
    No("first-not-empty", {"$not": {}}, "$.$not", "object"),
    No("first-operator-inside", {"$gt": {"$lt": {"a": 5}}}, "$.$gt.$lt", "field"),
    No("first-bad-operand", {"$in": {"a": 5}}, "$.$in.a", "list"),
    No("first-options-alone", {"$options": {"a": "i"}}, "$.$options.a", "$regex"),
    No("first-options-other-field", {"$regex": {"a": "x"}, "$options": {"b": "i"}}, "$.$options.b", "$regex"),
    No("first-object-range", {"$gte": {"a": {"b": 5}}}, "$.$gte.a", "range"),
)

OPERANDS = (
    No("in-scalar", {"a": {"$in": 5}}, "$.a.$in", "list"),
    No("in-object", {"a": {"$in": {"x": 1}}}, "$.a.$in", "list"),
    No("in-null", {"a": {"$in": None}}, "$.a.$in", "list"),
    No("in-string", {"a": {"$in": "abc"}}, "$.a.$in", "list"),
    No("in-operator", {"a": {"$in": [1, {"$gt": 5}]}}, "$.a.$in[1]", "operators"),
    No("in-regex", {"a": {"$in": [{"$regex": "x"}]}}, "$.a.$in[0]", "operators"),
    No("in-unknown-operator", {"a": {"$in": [{"$foo": "x"}]}}, "$.a.$in[0]", "operators"),
    No("nin-scalar", {"a": {"$nin": 5}}, "$.a.$nin", "list"),
    No("nin-operator", {"a": {"$nin": [{"$gt": 5}]}}, "$.a.$nin[0]", "operators"),
    No("all-scalar", {"a": {"$all": 5}}, "$.a.$all", "list"),
    No("all-operator", {"a": {"$all": [1, {"$gt": 5}]}}, "$.a.$all[1]", "operators"),
    No("all-mixed", {"a": {"$all": [{"$elemMatch": {"x": 1}}, 5]}}, "$.a.$all[1]", "$elemMatch"),
    No("all-mixed-late", {"a": {"$all": [5, {"$elemMatch": {"x": 1}}]}}, "$.a.$all[1]", "operators"),
    No("all-elem-match-and-more", {"a": {"$all": [{"$elemMatch": {"x": 1}, "y": 1}]}}, "$.a.$all[0]", "nothing else"),
    No("all-bad-elem-match", {"a": {"$all": [{"$elemMatch": 5}]}}, "$.a.$all[0].$elemMatch", "object"),
    No("elem-match-scalar", {"a": {"$elemMatch": 5}}, "$.a.$elemMatch", "object"),
    No("elem-match-list", {"a": {"$elemMatch": [1]}}, "$.a.$elemMatch", "object"),
    No("elem-match-null", {"a": {"$elemMatch": None}}, "$.a.$elemMatch", "object"),
    No("elem-match-bad-inside", {"a": {"$elemMatch": {"x": {"$in": 1}}}}, "$.a.$elemMatch.x.$in", "list"),
    No("elem-match-empty-or", {"a": {"$elemMatch": {"$or": []}}}, "$.a.$elemMatch.$or", "non-empty"),
    No("elem-match-plain-after-operator", {"a": {"$elemMatch": {"$gt": 1, "x": 2}}}, "$.a.$elemMatch.x", "operators"),
    No("size-negative", {"a": {"$size": -1}}, "$.a.$size", "whole number"),
    No("size-fraction", {"a": {"$size": Decimal("1.5")}}, "$.a.$size", "whole number"),
    No("size-float", {"a": {"$size": 1.5}}, "$.a.$size", "whole number"),
    No("size-string", {"a": {"$size": "1"}}, "$.a.$size", "number"),
    No("size-true", {"a": {"$size": True}}, "$.a.$size", "number"),
    No("size-null", {"a": {"$size": None}}, "$.a.$size", "number"),
    No("size-range", {"a": {"$size": {"$gt": 1}}}, "$.a.$size", "number"),
    No("size-too-large", {"a": {"$size": 2**31}}, "$.a.$size", "whole number"),
    No("size-nan", {"a": {"$size": float("nan")}}, "$.a.$size", "NaN"),
    No("type-unknown", {"a": {"$type": "text"}}, "$.a.$type", "unknown"),
    No("type-case", {"a": {"$type": "String"}}, "$.a.$type", "unknown"),
    No("type-code", {"a": {"$type": 99}}, "$.a.$type", "unknown"),
    No("type-zero", {"a": {"$type": 0}}, "$.a.$type", "unknown"),
    No("type-fraction", {"a": {"$type": 2.5}}, "$.a.$type", "unknown"),
    No("type-empty", {"a": {"$type": []}}, "$.a.$type", "at least one"),
    No("type-bool", {"a": {"$type": True}}, "$.a.$type", "number"),
    No("type-null", {"a": {"$type": None}}, "$.a.$type", "number"),
    No("type-list-unknown", {"a": {"$type": ["string", "text"]}}, "$.a.$type", "unknown"),
    No("mod-scalar", {"a": {"$mod": 5}}, "$.a.$mod", "list"),
    No("mod-one", {"a": {"$mod": [5]}}, "$.a.$mod", "two numbers"),
    No("mod-three", {"a": {"$mod": [5, 1, 2]}}, "$.a.$mod", "two numbers"),
    No("mod-empty", {"a": {"$mod": []}}, "$.a.$mod", "two numbers"),
    No("mod-string", {"a": {"$mod": ["5", 1]}}, "$.a.$mod[0]", "number"),
    No("mod-null-remainder", {"a": {"$mod": [5, None]}}, "$.a.$mod[1]", "number"),
    No("mod-zero", {"a": {"$mod": [0, 1]}}, "$.a.$mod[0]", "0"),
    No("mod-cut-to-zero", {"a": {"$mod": [0.5, 0]}}, "$.a.$mod[0]", "0"),
    No("mod-too-large", {"a": {"$mod": [2**63, 0]}}, "$.a.$mod", "64 bits"),
    No("range-list", {"a": {"$gt": [1]}}, "$.a.$gt", "range"),
    No("range-object", {"a": {"$lte": {"x": 1}}}, "$.a.$lte", "range"),
    No("range-operator", {"a": {"$lt": {"$gt": 1}}}, "$.a.$lt", "range"),
    No("nan", {"a": float("nan")}, "$.a", "NaN"),
    No("infinity", {"a": {"$lt": float("inf")}}, "$.a.$lt", "Infinity"),
    No("decimal-nan", {"a": [1, Decimal("NaN")]}, "$.a[1]", "NaN"),
    No("no-json", {"a": object()}, "$.a", "no JSON value"),
    No("marker-alone", {"a": "{TAKE_FROM_QUERY}"}, "$.a", "query record"),
    No("marker-in-data", {"a": {"$eq": {"b": "{TAKE_FROM_QUERY}"}}}, "$.a.$eq.b", "whole operand"),
    No("regex-number", {"a": {"$regex": 5}}, "$.a.$regex", "string"),
    No("regex-null", {"a": {"$regex": None}}, "$.a.$regex", "string"),
    No("regex-object", {"a": {"$regex": {"x": 1}}}, "$.a.$regex", "string"),
    No("options-alone", {"a": {"$options": "i"}}, "$.a.$options", "$regex"),
    No("options-other", {"a": {"$regex": "x", "$options": "g"}}, "$.a.$regex", "$options"),
    No("options-u", {"a": {"$regex": "x", "$options": "u"}}, "$.a.$regex", "$options"),
    No("options-capital", {"a": {"$regex": "x", "$options": "I"}}, "$.a.$regex", "$options"),
    No("options-number", {"a": {"$regex": "x", "$options": 1}}, "$.a.$regex", "$options"),
    No("options-null", {"a": {"$regex": "x", "$options": None}}, "$.a.$regex", "$options"),
)

PATTERNS = tuple(
    No(f"pattern-{name}", {"a": {"$regex": pattern}}, "$.a.$regex", words)
    for name, pattern, words in (
        ("open-group", "(a", "without an end"), ("close-group", "a)", "without an opening"),
        ("open-bracket", "[a", "without an end"), ("empty-bracket", "[]", "without an end"),
        ("empty-negated-bracket", "[^]", "without an end"), ("no-character", "[^\\s\\S]", "no character"),
        ("star", "*a", "nothing to repeat"), ("plus", "a|+b", "nothing to repeat"), ("group-star", "(*a)", "VERBS"),
        ("brace", "{2}", "nothing to repeat"), ("double", "a**", "after a quantifier"),
        ("triple", "a{2}{3}", "after a quantifier"),
        ("possessive", "a++", "possessive"), ("possessive-brace", "a{2}+", "possessive"),
        ("bounds-reversed", "a{3,2}", "wrong bounds"), ("bounds-large", "a{256}", "over 255"),
        ("bounds-lower-open", "a{,2}", "{0,n}"), ("bounds-product", "(?:(?:a{200}){200}){200}", "over 255"),
        ("range-reversed", "[z-a]", "wrong range"), ("range-class", "[a-\\d]", "wrong range"),
        ("backslash", "a\\", "backslash"), ("back-reference", "(a)\\1", "back-references"),
        ("octal", "\\012", "octal"), ("property", "\\p{L}", "\\p"), ("unknown-escape", "\\y", "\\y"),
        ("reset", "a\\Kb", "\\K"), ("newline-sequence", "\\R", "\\R"), ("cluster", "\\X", "\\X"),
        ("hexadecimal", "\\xzz", "hexadecimal"), ("hexadecimal-large", "\\x{110000}", "hexadecimal"),
        ("hexadecimal-nul", "\\x00", "hexadecimal"), ("nul", "a\0", "U+0000"), ("surrogate", "\ud800", "surrogate"),
        ("atomic", "(?>a)", "supported"), ("recursion", "(?R)", "supported"), ("conditional", "(?(1)a)", "supported"),
        ("inline-late", "a(?i)b", "supported"), ("inline-group", "(?i:a)", "supported"),
        ("group-name", "(?<1a>b)", "wrong name"), ("posix-unknown", "[[:foo:]]", "known class"),
        ("posix-collating", "[[.a.]]", "known class"), ("anchor-quantified", "^*", "after an anchor"),
        ("look-ahead-quantified", "(?=a)+", "look-around"), ("look-behind-variable", "(?<=a*)b", "look-behind"),
        ("comment-open", "a(?#b", "without an end"), ("long", "a" * 1001, "1,000 characters"),
        ("groups-deep", "(" * 150 + ")" * 150, "groups"),
    )
)

LIMITS = (
    No("deep-and", nested(33), "$" + ".$and[0]" * 33, "32 levels"),
    No("deep-and-1000", nested(1000), "$" + ".$and[0]" * 33, "32 levels"),
    No("deep-not", nested_not(1000), "$.a" + ".$not" * 32, "32 levels"),
    No("deep-data", nested_data(1000), "$.a.$eq" + "[0]" * 32, "32 levels"),
    No("conditions-or", {"$or": [{"a": i} for i in range(1001)]}, "$.$or[1000].a", "1,000 conditions"),
    No("conditions-and-fields", {f"k{i}": i for i in range(1001)}, "$.k1000", "1,000 conditions"),
    No("conditions-empty-filters", {"$or": [{}] * 1001}, "$.$or[1000]", "1,000 conditions"),
    No("conditions-elem-match", {"a": {"$elemMatch": {"$or": [{"x": i} for i in range(1001)]}}},
       "$.a.$elemMatch.$or[999].x", "1,000 conditions"),
    No("in-long", {"a": {"$in": list(range(10_001))}}, "$.a.$in", "10,000 values"),
    No("all-long", {"a": {"$all": list(range(10_001))}}, "$.a.$all", "10,000 values"),
    No("values", {"a": {"$eq": list(range(20_001))}}, "$.a.$eq", "20,000 values"),
    No("digits", {"a": 10**5000}, "$.a", "digits"),
    No("digits-huge", {"a": 10**100_000}, "$.a", "digits"),
    No("digits-fraction", {"a": Decimal("1E-5000")}, "$.a", "digits"),
    No("digits-exponent", {"a": {"$gt": Decimal("1E+999999")}}, "$.a.$gt", "digits"),
    No("steps", {".".join("a" * 33): 1}, "$." + "a." * 30 + "…", "32 steps"),
    No("numeric-steps", {"a.0.0.0.0.0.0.0": 1}, "$.a.0.0.0.0.0.0.0", "numeric steps"),
)

REFUSED: tuple[No, ...] = (*SHAPE, *LOGIC, *OPERANDS, *PATTERNS, *LIMITS)
