"""Sets of characters, for regular expressions: PCRE's classes are ASCII ones, PostgreSQL's follow the locale."""

from dataclasses import dataclass

_LAST = 0x10FFFF


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """A set of characters as sorted, disjoint, inclusive ranges of code points."""

    ranges: tuple[tuple[int, int], ...] = ()

    def union(self, other: "CharacterSet") -> "CharacterSet":
        """Return the characters of both."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted(self.ranges + other.ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return CharacterSet(tuple(merged))

    def complement(self) -> "CharacterSet":
        """Return all other characters. U+0000 is in neither: no stored string holds it."""
        gaps: list[tuple[int, int]] = []
        start = 1
        for low, high in self.ranges:
            if low > start:
                gaps.append((start, low - 1))
            start = max(start, high + 1)
        if start <= _LAST:
            gaps.append((start, _LAST))
        return CharacterSet(tuple(gaps))

    def written(self) -> str:
        """Return the set as PostgreSQL reads it. A set without upper end is written as what it leaves out.

        So a complement stays one when case is ignored: PostgreSQL adds the other case to every range it reads,
        and the long range from `{` upwards has characters (U+017F, U+212A) whose other case is an ASCII letter.
        """
        if self == ANY:
            return "."
        if self.ranges and self.ranges[-1][1] == _LAST:
            return f"[^{_ranges_text(self.complement().ranges)}]"
        return f"[{_ranges_text(self.ranges)}]"


def _ranges_text(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(
        character(chr(low)) if low == high else f"{character(chr(low))}-{character(chr(high))}"
        for low, high in ranges
    )  # fmt: skip


def character(value: str) -> str:
    """Return one character so that it is plain in and outside of brackets."""
    if value.isascii() and value.isalnum():
        return value
    code = ord(value)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _of(*parts: str) -> CharacterSet:
    found = CharacterSet()
    for part in parts:
        found = found.union(CharacterSet(((ord(part[0]), ord(part[-1])),)))
    return found


ANY = CharacterSet().complement()
DIGIT = _of("09")
WORD = _of("09", "AZ", "_", "az")
SPACE = _of("\t\r", " ")

POSIX = {
    "alnum": _of("09", "AZ", "az"),
    "alpha": _of("AZ", "az"),
    "ascii": _of("\x01\x7f"),
    "blank": _of("\t", " "),
    "cntrl": _of("\x01\x1f", "\x7f"),
    "digit": DIGIT,
    "graph": _of("!~"),
    "lower": _of("az"),
    "print": _of(" ~"),
    "punct": _of("!/", ":@", "[`", "{~"),
    "space": SPACE,
    "upper": _of("AZ"),
    "word": WORD,
    "xdigit": _of("09", "AF", "af"),
}


def posix_class(name: str) -> CharacterSet | None:
    """Return the class that `[:name:]` means to PCRE without Unicode properties, `^name` its complement."""
    found = POSIX.get(name.removeprefix("^"))
    return found.complement() if found and name.startswith("^") else found
