"""How patterns are written anew for PostgreSQL; what they match is tested in the database."""

import pytest

from app.filters.regex import RegexRefused, translate
from app.filters.regexclasses import ANY, DIGIT, SPACE, WORD, CharacterSet, posix_class


@pytest.mark.parametrize(
    ("pattern", "options", "written"),
    [
        ("abc", "", "abc"),
        ("^a.b$", "", "\\Aa[^\\n]b(?=\\n?\\Z)"),
        ("a.b", "s", "a.b"),
        ("^a$", "m", "(?:\\A|(?<=\\n)(?!\\Z))a(?=\\n|\\Z)"),
        ("\\w\\d", "", "[0-9A-Z\\u005fa-z][0-9]"),
        ("\\W", "", "[^0-9A-Z\\u005fa-z]"),
        ("[\\s\\S]", "", "."),
        ("[^\\W_]", "i", "[0-9A-Za-z]"),
        ("[\\D5]", "", "[^0-46-9]"),
        ("(a)(?:b)(?<n>c)", "", "(?:a)(?:b)(?:c)"),
        ("a+?b{2}c{3,}d{4,5}", "", "a+b{2}c{3,}d{4,5}"),
        ("a b # c", "x", "ab"),
        ("\\Qa.b\\E", "", "a\\u002eb"),
        ("[]-a]", "", "[\\u005d-a]"),
        ("🎈|é", "", "\\U0001f388|\\u00e9"),
    ],
)
def test_a_pattern_is_written_anew(pattern: str, options: str, written: str) -> None:
    assert translate(pattern, options)[0] == written


def test_a_boundary_is_written_once_where_it_stands_twice() -> None:
    assert translate("\\b\\b\\bx\\B\\B", "")[0] == translate("\\bx\\B", "")[0]


def test_case_is_ignored_by_option_or_by_a_flag_in_front() -> None:
    assert [translate(pattern, options)[1] for pattern, options in (("a", ""), ("a", "i"), ("(?i)a", ""))] == [
        False,
        True,
        True,
    ]
    assert translate("(?-i)a", "i")[1] is False


def test_nothing_of_the_pattern_reaches_postgresql_unread() -> None:
    """Each ASCII character that is not a letter or digit is written by its code or belongs to the syntax."""
    for code in range(1, 128):
        character = chr(code)
        if not character.isalnum():
            assert translate(f"\\{character}", "")[0] == f"\\u{code:04x}"
            assert (
                f"\\u{code:04x}"
                in translate(f"[{character}x]" if character not in "^]\\" else f"[x\\{character}]", "")[0]
            )


def test_a_refusal_says_where() -> None:
    with pytest.raises(RegexRefused, match="near character 4"):
        translate("ab(?>c)", "")


def test_sets_of_characters() -> None:
    assert DIGIT.complement().complement() == DIGIT
    assert WORD.union(WORD.complement()) == ANY
    assert CharacterSet(((97, 99),)).union(CharacterSet(((100, 102),))).ranges == ((97, 102),)
    assert posix_class("space") == SPACE
    assert posix_class("^digit") == DIGIT.complement()
    assert posix_class("nothing") is None
