"""The taxonomy file: the project's own, and every kind of mistake in one's own."""

import tomllib
from pathlib import Path

import pytest

from app.domain.errors import ConfigurationError
from app.embedding.tags import taxonomy
from app.embedding.tags.colour_names import EXAMPLES

GOOD = """
templates = ["a photo of {}.", "{} up close"]

[[groups]]
name = "kind"
choose = "one"
thresholds = { softmax = 0.2, sigmoid = 0.1 }
labels = ["dress", { tag = "shoe", words = ["shoe", "boot"] }]

[[groups]]
name = "sleeves"
choose = "any"
thresholds = { softmax = 0, sigmoid = 1 }
templates = ["{} sleeves"]
labels = ["long", "short"]
when = ["dress"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_words_go_into_the_groups_own_templates_or_the_common_ones(tmp_path: Path) -> None:
    read = taxonomy.read(write(tmp_path, GOOD))
    kind, sleeves = read.groups
    assert read.prompts(kind, kind.labels[0]) == ["a photo of dress.", "dress up close"]
    assert read.prompts(kind, kind.labels[1]) == [
        "a photo of shoe.",
        "shoe up close",
        "a photo of boot.",
        "boot up close",
    ]
    assert read.prompts(sleeves, sleeves.labels[0]) == ["long sleeves"]
    assert len(list(read.all_prompts())) == 8
    assert (sleeves.when, kind.when) == (["dress"], None)


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    first = taxonomy.read(write(tmp_path, GOOD)).digest
    assert taxonomy.read(write(tmp_path, "# my own\n" + GOOD.replace(" = ", "  =  "))).digest == first
    assert taxonomy.read(write(tmp_path, GOOD.replace("0.2", "0.3"))).digest != first


def test_the_projects_own_covers_what_fashion_is_sorted_by() -> None:
    own = taxonomy.read()
    groups = {group.name: [label.tag for label in group.labels] for group in own.groups}
    assert {"kind", "colour", "pattern", "material", "sleeves", "neckline", "length"} <= set(groups)
    assert {"dress", "jeans", "sneakers", "bag"} <= set(groups["kind"])
    # The names that `_colors` uses are tags as well.
    assert set(EXAMPLES) <= set(groups["colour"])
    assert max(len(prompt.split()) for prompt in own.all_prompts()) < 20, "every model reads them to their end"


# What is changed in the good file, and what is said of it.
MISTAKES: dict[str, tuple[str, str, str]] = {
    "no TOML": ("choose = ", "choose : ", "is not TOML: .*line 6, column"),
    "no groups": (GOOD[GOOD.index("[[") :], "", "at groups: field required"),
    "no templates": ('templates = ["a photo of {}.", "{} up close"]', "", "at templates: field required"),
    "no template in the list": ('["a photo of {}.", "{} up close"]', "[]", "at templates: must hold 1 or more"),
    "template without a place": ('"{} up close"', '"up close"', r"at templates\[1\]: 'up close' must have {} once"),
    "template with two places": ('"{} up close"', '"{} {}"', r"at templates\[1\]: .*must have {} once"),
    "no name": ('name = "sleeves"', "", r"at groups\[1\].name: field required"),
    "no choice": ('choose = "any"', "", r"at groups\[1\].choose: field required"),
    "another choice": ('choose = "any"', 'choose = "all"', r"at groups\[1\].choose: input should be 'one' or 'any'"),
    "no thresholds": ("thresholds = { softmax = 0, sigmoid = 1 }", "", r"at groups\[1\].thresholds: field required"),
    "half the thresholds": ("softmax = 0, ", "", r"at groups\[1\].thresholds.softmax: field required"),
    "threshold out of range": ("sigmoid = 1", "sigmoid = 1.5", r"at groups\[1\].thresholds.sigmoid: .*less than or"),
    "threshold is text": ("sigmoid = 1", 'sigmoid = "1"', r"at groups\[1\].thresholds.sigmoid: .*valid number"),
    "threshold is no number": ("sigmoid = 1", "sigmoid = nan", r"at groups\[1\].thresholds.sigmoid: "),
    "empty group": ('labels = ["long", "short"]', "labels = []", r"at groups\[1\].labels: must hold 2 or more, and h"),
    "one label": ('labels = ["long", "short"]', 'labels = ["long"]', r"at groups\[1\].labels: .* holds 1"),
    "labels are text": ('labels = ["long", "short"]', 'labels = "long"', r"at groups\[1\].labels: .*valid list"),
    "a label is a number": ('"long", "short"', '"long", 5', r"at groups\[1\].labels\[1\]: "),
    "an empty label": ('"long", "short"', '"long", ""', r"at groups\[1\].labels\[1\].tag: '' must be printable text"),
    "space around a label": ('"long", "short"', '"long", " a"', r"at groups\[1\].labels\[1\].tag: ' a' must be"),
    "a label in two lines": ('"long", "short"', r'"long", "a\nb"', r"at groups\[1\].labels\[1\].tag: .*printable"),
    "a label without words": (
        'words = ["shoe", "boot"]',
        "words = []",
        r"at groups\[0\].labels\[1\].words: must hold 1",
    ),
    "a label without tag": ('tag = "shoe", ', "", r"at groups\[0\].labels\[1\].tag: field required"),
    "a label twice": ('"long", "short"', '"long", "dress"', "the label 'dress' stands there 2 times"),
    "a group twice": ('name = "sleeves"', 'name = "kind"', "the group 'kind' stands there 2 times"),
    "unknown key": (
        'choose = "any"',
        'choose = "any"\nthreshold = 1',
        r"at groups\[1\].threshold: there is no such key",
    ),
    "unknown key at the top": ("templates = [", "version = 1\ntemplates = [", "at version: there is no such key"),
    "when of nothing": ('when = ["dress"]', 'when = ["skirt"]', "`when` of the group 'sleeves' names 'skirt'"),
    "when of itself": ('when = ["dress"]', 'when = ["long"]', "names 'long', no label of a group before"),
    "when is empty": ('when = ["dress"]', "when = []", r"at groups\[1\].when: must hold 1 or more"),
    "a long label": ('"long", "short"', f'"long", "{"x" * 201}"', r"at groups\[1\].labels\[1\].tag: .*200 characters"),
    "too many sentences": (
        'words = ["shoe", "boot"]',
        f"words = {[f'w{n}' for n in range(11_000)]}",
        "make 22004 sentences; 20000 are the most",
    ),
    "too large": ("# ", "", "is larger than 1048576 bytes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_the_file_and_the_place(tmp_path: Path, mistake: str) -> None:
    old, new, said = MISTAKES[mistake]
    text = GOOD.replace(old, new, 1) if mistake != "too large" else GOOD + "#" * 2**20
    assert text != GOOD
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        taxonomy.read(path)
    assert str(caught.value).startswith(f"the fashion taxonomy '{path}'")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none.toml' cannot be read: No such file"):
        taxonomy.read(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        taxonomy.read(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes("templates = ['é']".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="is not UTF-8, at byte 14"):
        taxonomy.read(path)


def test_the_good_file_is_good(tmp_path: Path) -> None:
    assert len(taxonomy.read(write(tmp_path, GOOD)).groups) == len(tomllib.loads(GOOD)["groups"])
