"""The taxonomy of fashion tags: groups of labels and the sentences that describe them to a model, from a TOML file.

`docs/text-and-tags.md` describes the format; `data/fashion.toml` is the one that is used unless another is named.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.domain.errors import ConfigurationError

OWN = Path(__file__).with_name("fashion.toml")
_MAX_BYTES = 2**20
_MAX_PROMPTS = 20_000  # a model reads each of them once
_PLACE = "{}"


def _phrase(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} must be printable text with no space around it")
    return text


def _template(text: str) -> str:
    if text.count(_PLACE) != 1:
        raise ValueError(f"{text!r} must have {_PLACE} once, where the label goes")
    return text


def _label(value: Any) -> Any:
    return {"tag": value, "words": [value]} if isinstance(value, str) else value


Phrase = Annotated[str, Field(max_length=200), AfterValidator(_phrase)]
Template = Annotated[Phrase, AfterValidator(_template)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Label(_Part):
    """One tag, and the words for it that go into the templates."""

    tag: Phrase
    words: list[Phrase] = Field(min_length=1)


class Thresholds(_Part):
    """The probability from which a label is a tag: with models that score by softmax (CLIP), and by sigmoid (SigLIP).

    A softmax shares 1 among the labels of the group; a sigmoid is of each label by itself.
    """

    softmax: Probability
    sigmoid: Probability


class Group(_Part):
    """Labels that are compared with one another; with `when`, only for pictures that have one of those tags.

    Of a group that chooses `one` the most probable label is a tag; of one that chooses `any`, every label; from the
    threshold on.
    """

    name: Phrase
    choose: Literal["one", "any"]
    thresholds: Thresholds
    labels: list[Annotated[Label, BeforeValidator(_label)]] = Field(min_length=2)
    templates: list[Template] | None = Field(default=None, min_length=1)
    when: list[Phrase] | None = Field(default=None, min_length=1)


class Taxonomy(_Part):
    """All groups, in the order in which they are looked at, and the templates of those without their own."""

    templates: list[Template] = Field(min_length=1)
    groups: list[Group] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> "Taxonomy":
        _once("group", [group.name for group in self.groups])
        _once("label", [label.tag for group in self.groups for label in group.labels])
        known: set[str] = set()
        for group in self.groups:
            unknown = [tag for tag in group.when or () if tag not in known]
            if unknown:
                raise ValueError(f"`when` of the group {group.name!r} names {unknown[0]!r}, no label of a group before")
            known |= {label.tag for label in group.labels}
        prompts = sum(len(self.prompts(group, label)) for group in self.groups for label in group.labels)
        if prompts > _MAX_PROMPTS:
            raise ValueError(f"words and templates make {prompts} sentences; {_MAX_PROMPTS} are the most")
        return self

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal; comments and layout do not count."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def prompts(self, group: Group, label: Label) -> list[str]:
        """Return the sentences of a label: each of its words in each template."""
        templates = group.templates or self.templates
        return [template.replace(_PLACE, words) for words in label.words for template in templates]

    def all_prompts(self) -> Iterator[str]:
        """Yield the sentences of all labels, in order; one may come twice."""
        for group in self.groups:
            for label in group.labels:
                yield from self.prompts(group, label)


def _once(what: str, names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"the {what} {twice[0]!r} stands there {names.count(twice[0])} times")


def read(path: Path | None = None) -> Taxonomy:
    """Return the taxonomy of a file; of the project's own without one.

    Raises:
        ConfigurationError: there is no such file, or it is none of a taxonomy; the message names file and place.

    """
    path = path or OWN
    what = f"the fashion taxonomy {str(path)!r}"
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ConfigurationError(f"{what} is larger than {_MAX_BYTES} bytes")
        return Taxonomy.model_validate(tomllib.loads(data.decode()))
    except OSError as error:
        raise ConfigurationError(f"{what} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{what} is not UTF-8, at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{what} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{what}: {_said(error)}") from None


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ""
    for part in first["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such key"
    if first["type"] == "too_short":
        message = f"must hold {first['ctx']['min_length']} or more, and holds {first['ctx']['actual_length']}"
    return f"at {place.removeprefix('.')}: {message[0].lower()}{message[1:]}" if place else message
