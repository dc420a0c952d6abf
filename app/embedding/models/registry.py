"""The table of models: name, facts, and how one is loaded. Names with a slash are models of the Hugging Face hub."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.errors import InvalidRequest
from app.domain.options import ModelOptions
from app.embedding.hub import repository
from app.embedding.models import color_palette, efficientnet_lite0, huggingface, pdq, phash, pixels
from app.embedding.models.base import Embedder, ModelFacts
from app.embedding.models.extras import installed
from app.embedding.models.options import wants_torch


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what is known without loading, the function that loads with so many CPU threads, what it needs.

    `packages` are those that an installation may lack, by the names they are imported by.
    """

    facts: ModelFacts
    load: Callable[[ModelOptions, int], Embedder]
    packages: tuple[str, ...] = ()

    @property
    def at_hand(self) -> bool:
        """True if what it needs is installed."""
        return installed(*self.packages)


def _lite0(options: ModelOptions, threads: int, facts: ModelFacts = efficientnet_lite0.FACTS) -> Embedder:
    if not wants_torch(options):
        return efficientnet_lite0.EfficientNetLite0(threads, facts)
    from app.embedding.models.lite0_on_torch import Lite0OnTorch  # noqa: PLC0415  (imports torch)

    return Lite0OnTorch(options, threads, facts)


def _lite0_middle_only(options: ModelOptions, threads: int) -> Embedder:
    return _lite0(options, threads, efficientnet_lite0.MIDDLE_ONLY)


MODELS = MappingProxyType(
    {
        entry.facts.name: entry
        for entry in (
            Entry(efficientnet_lite0.FACTS, _lite0),
            Entry(color_palette.FACTS, lambda *_: color_palette.ColorPalette()),
            Entry(phash.FACTS, lambda *_: phash.PHash()),
            Entry(pdq.FACTS, lambda *_: pdq.PDQ(), ("pdqhash",)),
            Entry(pixels.FACTS, lambda *_: pixels.Pixels()),
        )
    }
)

# Revisions before the present one that can still be made, for the collections that have them.
EARLIER = MappingProxyType(
    {
        (entry.facts.name, entry.facts.revision): entry
        for entry in (Entry(efficientnet_lite0.MIDDLE_ONLY, _lite0_middle_only),)
    }
)


def describe(name: str, options: ModelOptions) -> ModelFacts:
    """Return what is known of a model without loading it.

    `options` say where files of the Hugging Face hub are, and whether they may be fetched.

    Raises:
        InvalidRequest: there is no model of this name, or none that is at hand.

    """
    if name in MODELS:
        return MODELS[name].facts
    if repository.is_hub_name(name):
        return huggingface.describe(name, options)
    raise InvalidRequest(
        f"there is no model {name!r}; the models are {', '.join(sorted(MODELS))}, and those of the Hugging Face hub"
        " by their id (org/name) or folder"
    )


def available() -> tuple[ModelFacts, ...]:
    """Return what is known of every model, in the order of the table, without loading any."""
    return tuple(entry.facts for entry in MODELS.values())


def identity(name: str, options: ModelOptions) -> str:
    """Return what two names of the same model at hand share: `org/name` and `org/name@commit`, a folder by two paths.

    Raises:
        InvalidRequest: there is no model of this name, or none that is at hand.

    """
    if name in MODELS or not repository.is_hub_name(name):
        return describe(name, options).name
    source = repository.locate(name, options)
    return str(source.folder.resolve()) if source.folder else f"{source.id}@{source.commit}"


def load(name: str, options: ModelOptions, threads: int = 1, revision: str | None = None) -> Embedder:
    """Load a model; seconds of work and memory for its weights. `revision`: an earlier one, where it is at hand.

    Raises:
        InvalidRequest: there is no model of this name, or it cannot be used.
        ConfigurationError: it needs a package or a device that is not there.

    """
    if name not in MODELS and repository.is_hub_name(name):
        return huggingface.HuggingFace(name, options, threads)
    describe(name, options)
    return EARLIER.get((name, revision or ""), MODELS[name]).load(options, threads)
