r"""Regular expressions: from MongoDB's dialect (PCRE, UTF-8) to the one that PostgreSQL's `like_regex` runs.

Both engines agree on most of a pattern and differ silently in the rest: in PostgreSQL `\b` is a backspace, `\w`
matches é, `[^a]` may refuse a newline, `$` does not see a final one. So the pattern is parsed here and written
anew from the pieces whose meaning is known; whatever cannot be written with the same meaning is refused. What is
sent always carries the flag `s` (a dot and `[^a]` match newlines) and, with option `i`, the flag `i`.
"""

from dataclasses import dataclass

from app.filters.regexclasses import DIGIT, SPACE, WORD, CharacterSet, character, posix_class
from app.filters.values import unstorable

MAX_LENGTH = 1_000
MAX_GROUPS = 100
"""Groups inside one another."""
MAX_REPEAT = 255
"""PostgreSQL's own limit of `{n,m}`."""
MAX_SIZE = 10_000
"""Characters the pattern stands for once all `{n,m}` are written out: bounds the automaton."""

_WORD = WORD.written()
_BOUNDARY = f"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))"
_NO_BOUNDARY = f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))"
_BOUNDARIES = (_BOUNDARY, _NO_BOUNDARY)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_SETS = {
    "d": DIGIT, "D": DIGIT.complement(), "w": WORD, "W": WORD.complement(), "s": SPACE, "S": SPACE.complement(),
}  # fmt: skip
# Zero-width escapes: PCRE's \Z also matches before a final newline, PostgreSQL's does not.
_ANCHORS = {"b": _BOUNDARY, "B": _NO_BOUNDARY, "A": "\\A", "z": "\\Z", "Z": "(?=\\n?\\Z)"}


class RegexRefused(ValueError):
    """The pattern is wrong or has no equal in PostgreSQL; the message says which and where."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A written part of the pattern, how large it is, and whether a quantifier may follow it."""

    text: str
    size: int = 1
    repeatable: bool = True


def translate(pattern: str, options: str) -> tuple[str, bool]:
    """Return the pattern for `like_regex … flag "s"` and whether case is ignored.

    `options` holds letters of `imsx`. Raises RegexRefused. A pattern that passes here is accepted by PostgreSQL but
    for its own limits of size; then it raises SQLSTATE 2201B (invalid_regular_expression), which the database
    layer maps to a FilterError.
    """
    if len(pattern) > MAX_LENGTH:
        raise RegexRefused(f"a regular expression may have at most {MAX_LENGTH:,} characters")
    if unstorable(pattern):
        raise RegexRefused("a regular expression cannot hold U+0000 or half of a surrogate pair")
    return _Translator(pattern, set(options)).run()


class _Translator:
    """A recursive descent over the pattern; one instance for one pattern."""

    def __init__(self, pattern: str, flags: set[str]) -> None:
        self.pattern = pattern
        self.flags = flags
        self.at = 0
        self.groups = 0
        self.behind = 0

    def run(self) -> tuple[str, bool]:
        self._leading_flags()
        piece = self._alternatives()
        if self.at < len(self.pattern):
            raise self._refused("a closing parenthesis without an opening one")
        return piece.text, "i" in self.flags

    def _refused(self, message: str) -> RegexRefused:
        return RegexRefused(f"{message} (near character {max(self.at, 1)} of the regular expression)")

    def _peek(self, length: int = 1) -> str:
        return self.pattern[self.at : self.at + length]

    def _skip(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        if found:
            self.at += len(text)
        return found

    def _leading_flags(self) -> None:
        """Read `(?i)` and the like, which PCRE applies to the whole pattern when they stand in front."""
        while self._peek(2) == "(?":
            end = self.pattern.find(")", self.at)
            letters = self.pattern[self.at + 2 : end]
            on, _, off = letters.partition("-")
            if end < 0 or not letters or not set(on + off) <= set("imsx"):
                return
            self.flags = (self.flags | set(on)) - set(off)
            self.at = end + 1

    def _skip_extended(self) -> None:
        """Skip what does not count: comments and, with option x, white space and `# …`."""
        while self.at < len(self.pattern):
            if self._peek(3) == "(?#":
                end = self.pattern.find(")", self.at)
            elif "x" in self.flags and self._peek() in " \t\n\v\f\r":
                end = self.at
            elif "x" in self.flags and self._peek() == "#":
                end = self.pattern.find("\n", self.at)
                end = len(self.pattern) if end < 0 else end
            else:
                return
            if end < 0:
                raise self._refused("a comment without an end")
            self.at = end + 1

    def _alternatives(self) -> _Piece:
        branches = [self._branch()]
        while self._skip("|"):
            branches.append(self._branch())
        size = sum(branch.size for branch in branches)
        return _Piece("|".join(branch.text for branch in branches), size)

    def _branch(self) -> _Piece:
        pieces: list[_Piece] = []
        while True:
            self._skip_extended()
            if self.at >= len(self.pattern) or self._peek() in "|)":
                break
            piece = self._quantified(self._atom())
            if not (pieces and piece == pieces[-1] and piece.text in _BOUNDARIES):
                pieces.append(piece)  # else the same boundary twice: PostgreSQL's automaton would explode
        return _Piece("".join(piece.text for piece in pieces), sum(piece.size for piece in pieces))

    def _atom(self) -> _Piece:
        start = self._peek()
        self.at += 1
        if start == "(":
            return self._group()
        if start == "\\":
            return self._escape()
        if start == "[":
            return _Piece(self._bracket().written())
        if start in ".^$":
            dotall, multiline = "s" in self.flags, "m" in self.flags
            text = {
                ".": "." if dotall else "[^\\n]",
                "^": "(?:\\A|(?<=\\n)(?!\\Z))" if multiline else "\\A",
                "$": "(?=\\n|\\Z)" if multiline else "(?=\\n?\\Z)",
            }
            return _Piece(text[start], repeatable=start == ".")
        if start in "*+?" or (start == "{" and self._bounds(peek=True)):
            raise self._refused("a quantifier with nothing to repeat")
        return _Piece(character(start))

    def _quantified(self, piece: _Piece) -> _Piece:
        self._skip_extended()
        low, high = self._quantifier()
        if low is None:
            return piece
        if not piece.repeatable:
            raise self._refused("a quantifier after an anchor, a look-around or \\E is not supported")
        if self.behind:
            raise self._refused("a quantifier inside a look-behind is not supported")
        if self._skip("+"):
            raise self._refused("possessive quantifiers are not supported")
        self._skip("?")  # lazy or greedy: the same strings match
        largest = low if high is None else high
        size = piece.size * max(largest, 1)
        if size > MAX_SIZE or largest > MAX_REPEAT:
            raise self._refused(f"a repetition over {MAX_REPEAT}, or too many of them inside one another")
        self._skip_extended()
        if self._quantifier()[0] is not None:
            raise self._refused("a quantifier after a quantifier")
        return _Piece(f"{piece.text}{_bounds_text(low, high)}", size)

    def _quantifier(self) -> tuple[int | None, int | None]:
        """Read a quantifier; returns its bounds, no upper bound as None, no quantifier as (None, None)."""
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._peek() in simple:
            self.at += 1
            return simple[self.pattern[self.at - 1]]
        if self._skip("{"):
            bounds = self._bounds(peek=False)
            if bounds:
                return bounds
            self.at -= 1
        return None, None

    def _bounds(self, *, peek: bool) -> tuple[int, int | None] | None:
        """Read `n}`, `n,}` or `n,m}`; returns None, and reads nothing, where the brace is an ordinary character."""
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at : end].partition(",")
        if end < 0 or not (low + high).isascii() or not (low + high).isdigit():
            return None
        if not low:
            raise self._refused("{,n} means different things in different versions of PCRE: write {0,n}")
        if not peek:
            self.at = end + 1
        if len(low) > 5 or len(high) > 5 or (high and int(high) < int(low)):
            raise self._refused("wrong bounds of a repetition")
        return int(low), (int(high) if high else None) if comma else int(low)

    def _group(self) -> _Piece:
        opening, repeatable = self._group_kind()
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise self._refused(f"more than {MAX_GROUPS} groups inside one another")
        behind = opening.startswith("(?<")
        self.behind += behind
        piece = self._alternatives()
        self.behind -= behind
        self.groups -= 1
        if not self._skip(")"):
            raise self._refused("a group without an end")
        return _Piece(f"{opening}{piece.text})", piece.size + 1, repeatable)

    def _group_kind(self) -> tuple[str, bool]:
        """Read what follows the parenthesis. Groups that capture become plain ones: nothing refers to them."""
        if self._peek() == "*":
            raise self._refused("(*VERBS) are not supported")
        if not self._skip("?"):
            return "(?:", True
        for look in ("=", "!", "<=", "<!"):
            if self._skip(look):
                return f"(?{look}", False
        if self._skip(":"):
            return "(?:", True
        for start, end in (("P<", ">"), ("<", ">"), ("'", "'")):
            if self._skip(start):
                close = self.pattern.find(end, self.at)
                if close < 0 or not self.pattern[self.at : close].isidentifier():
                    raise self._refused("a group with a wrong name")
                self.at = close + 1
                return "(?:", True
        raise self._refused(
            "only (…), (?:…), (?=…), (?!…), (?<=…), (?<!…), named groups, and (?imsx) in front are supported"
        )

    def _escape(self) -> _Piece:
        letter = self._peek()
        self.at += 1
        if letter in _SETS and letter:
            return _Piece(_SETS[letter].written())
        if letter in _ANCHORS and letter:
            return _Piece(_ANCHORS[letter], repeatable=False)
        if letter == "Q":
            return self._quoted()
        if letter == "E":
            return _Piece("", 0, repeatable=False)
        return _Piece(character(self._single(letter)))

    def _quoted(self) -> _Piece:
        r"""Read `\Q…\E`: all characters are plain. A quantifier would belong to the last one only: refused."""
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at :] if end < 0 else self.pattern[self.at : end]
        self.at = len(self.pattern) if end < 0 else end + 2
        return _Piece("".join(character(c) for c in text), len(text), repeatable=False)

    def _single(self, letter: str) -> str:
        """Return the character that an escape stands for, its letter having been read."""
        if not letter:
            raise self._refused("a backslash at the end")
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            return self._hexadecimal()
        if letter.isascii() and letter.isalnum():
            what = "back-references and octal escapes are" if letter.isdigit() else f"the escape \\{letter} is"
            raise self._refused(f"{what} not supported")
        return letter

    def _hexadecimal(self) -> str:
        if self._skip("{"):
            end = self.pattern.find("}", self.at)
            digits = self.pattern[self.at : end] if end >= 0 else ""
            self.at = end + 1 if end >= 0 else self.at
        else:
            digits = self._peek(2) if _is_hex(self._peek(2)) else self._peek(1)
            self.at += len(digits)
        if not _is_hex(digits) or len(digits) > 6 or int(digits, 16) > 0x10FFFF or unstorable(chr(int(digits, 16))):
            raise self._refused("\\x needs the hexadecimal code of a character other than U+0000")
        return chr(int(digits, 16))

    def _bracket(self) -> CharacterSet:
        negated = self._skip("^")
        found = CharacterSet()
        first = True
        while first or self._peek() != "]":
            first = False
            found = found.union(self._bracket_item())
        self.at += 1
        found = found.complement() if negated else found
        if not found.ranges:
            raise self._refused("a bracket that no character matches")
        return found

    def _bracket_item(self) -> CharacterSet:
        if self._peek(2) in ("[:", "[.", "[="):
            posix = self._posix_class()
            if posix:
                return posix
        low = self._bracket_character()
        if isinstance(low, CharacterSet):
            return low
        if self._peek() != "-" or self._peek(2) in ("-]", "-"):
            return CharacterSet(((ord(low), ord(low)),))
        self.at += 1
        high = self._bracket_character()
        if isinstance(high, CharacterSet) or high < low:
            raise self._refused("a wrong range in brackets")
        return CharacterSet(((ord(low), ord(high)),))

    def _bracket_character(self) -> str | CharacterSet:
        letter = self._peek()
        self.at += 1
        if not letter:
            raise self._refused("a bracket without an end")
        if letter != "\\":
            return letter
        letter = self._peek()
        self.at += 1
        if letter == "b":
            return "\b"
        return _SETS[letter] if letter in _SETS and letter else self._single(letter)

    def _posix_class(self) -> CharacterSet | None:
        """Read `[:name:]` inside brackets; None where it is not one and the bracket is an ordinary character."""
        delimiter = self.pattern[self.at + 1]
        end = self.pattern.find(f"{delimiter}]", self.at + 2)
        name = self.pattern[self.at + 2 : end]
        if end < 0 or not name.strip("^").isalpha():
            return None
        found = posix_class(name) if delimiter == ":" else None
        if not found:
            raise self._refused(f"[{delimiter}…{delimiter}] does not name a known class of characters")
        self.at = end + 2
        return found


def _is_hex(digits: str) -> bool:
    return bool(digits) and all(c in "0123456789abcdefABCDEF" for c in digits)


def _bounds_text(low: int, high: int | None) -> str:
    simple = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (low, high) in simple:
        return simple[low, high]
    if high is None:
        return f"{{{low},}}"
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"
