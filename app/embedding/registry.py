"""The table of models: name, facts, and how one is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.errors import InvalidRequest
from app.embedding import efficientnet_lite0, pixels
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
            Entry(pixels.FACTS, lambda _: pixels.Pixels()),
        )
    }
)

DEFAULTS = MappingProxyType(
    {
        "photo": "efficientnet-lite0",
        "image_matching": "efficientnet-lite0",
        "products": "efficientnet-lite0",
        "custom": "efficientnet-lite0",
        "fashion": "efficientnet-lite0",
        "colors": "efficientnet-lite0",
        "homedecor": "efficientnet-lite0",
    }
)


def describe(name: str) -> ModelFacts:
    """Return what is known of a model without loading it.

    Raises:
        InvalidRequest: there is no model of this name.

    """
    if name not in MODELS:
        raise InvalidRequest(f"there is no model {name!r}; the models are {', '.join(sorted(MODELS))}")
    return MODELS[name].facts


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
        InvalidRequest: there is no model of this name.

    """
    describe(name)
    return MODELS[name].load(threads)
