"""Strings that someone might try in order to break out of a query, as plain data: 224 of them."""

_PAYLOADS = (
    "'; DROP TABLE lookalike.records; --",
    "\"; DROP TABLE lookalike.records; --",
    "' OR '1'='1",
    "') OR TRUE --",
    "1; SELECT pg_sleep(5)",
    "$$; SELECT 1; $$",
    "\\'; DELETE FROM lookalike.records; --",
    "\"x\" == 1 || 1 == 1) //",
    ") || exists($.*) || (1 == 1",
    "$ ? (@ == 1)",
    "$.**",
    "@.a",
    "*",
    "a\" == 1 || @.\"a",
    "\\\"",
    "\\",
    "\\u0022 || 1 == 1",
    "%s",
    "%(f0)s",
    "%%",
    ":name",
    "::jsonpath",
    "$1",
    "{}",
    "{\"a\": 1}",
    "[0]",
    "/* comment */",
    "like_regex \".*\" flag \"i\"",
    "\r\n\t\b\f",
    "\u2028\u2029\ufeff\u202e",
    "🎈👩‍🚀",
    "NULL",
)  # fmt: skip
_WRAPPINGS = ("{}", "x{}", "{}x", "'{}'", '"{}"', "{0}{0}", "({})")

HOSTILE: tuple[str, ...] = tuple(
    wrapping.replace("{}", payload).replace("{0}", payload) for payload in _PAYLOADS for wrapping in _WRAPPINGS
)
