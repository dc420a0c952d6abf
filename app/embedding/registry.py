"""The table of models: name, facts, and how one is loaded. Names with a slash are models of the Hugging Face hub."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.errors import InvalidRequest
from app.embedding import color_palette, efficientnet_lite0, hub, huggingface, pdq, phash, pixels
from app.embedding.base import Embedder, ModelFacts


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what is known without loading, and the function that loads with so many CPU threads."""

    facts: ModelFacts
    load: Callable[[int], Embedder]


MODELS = MappingProxyType(
    {
        entry.facts.name: entry
        for entry in (
            Entry(efficientnet_lite0.FACTS, efficientnet_lite0.EfficientNetLite0),
            Entry(color_palette.FACTS, lambda _: color_palette.ColorPalette()),
            Entry(phash.FACTS, lambda _: phash.PHash()),
            Entry(pdq.FACTS, lambda _: pdq.PDQ()),
            Entry(pixels.FACTS, lambda _: pixels.Pixels()),
        )
    }
)

DEFAULTS = MappingProxyType(
    {
        "photo": "efficientnet-lite0",
        "image_matching": "phash",
        "products": "efficientnet-lite0",
        "custom": "efficientnet-lite0",
        "fashion": "efficientnet-lite0",
        "colors": "color-palette",
        "homedecor": "efficientnet-lite0",
    }
)


def describe(name: str) -> ModelFacts:
    """Return what is known of a model without loading it.

    Raises:
        InvalidRequest: there is no model of this name, or none that is at hand.

    """
    if name in MODELS:
        return MODELS[name].facts
    if hub.is_hub_name(name):
        return huggingface.describe(name)
    raise InvalidRequest(
        f"there is no model {name!r}; the models are {', '.join(sorted(MODELS))}, and those of the Hugging Face hub"
        " by their id (org/name) or folder"
    )


def available() -> tuple[ModelFacts, ...]:
    """Return what is known of every model, in the order of the table, without loading any."""
    return tuple(entry.facts for entry in MODELS.values())


def default_model(service: str) -> str:
    """Return the name of the model that a service's collections get unless they name one.

    Raises:
        KeyError: there is no such service.

    """
    return DEFAULTS[service]


def load(name: str, threads: int = 1) -> Embedder:
    """Load a model; seconds of work and memory for its weights.

    Raises:
        InvalidRequest: there is no model of this name, or it cannot be used.
        ConfigurationError: it needs a package that is not installed.

    """
    if name not in MODELS and hub.is_hub_name(name):
        return huggingface.HuggingFace(name, threads)
    describe(name)
    return MODELS[name].load(threads)
