"""Models on this machine are listed: those of the table, those of the hub's cache, and folders beside them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from app.domain.errors import LookalikeError
from app.domain.options import ModelOptions
from app.embedding.models import huggingface, registry
from app.embedding.models.base import ModelFacts
from app.embedding.models.extras import installed

_WEIGHTS = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class Listed:
    """One model: its facts (None where it cannot be used), whether it is at hand, and what stands in the way."""

    name: str
    facts: ModelFacts | None
    at_hand: bool
    knows_text: bool = False
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return its facts and the rest in one flat object."""
        facts = asdict(self.facts) if self.facts else {}
        told = {"at_hand": self.at_hand, "knows_text": self.knows_text, "reason": self.reason}
        return {**facts, "name": self.name, **told}


def inventory(options: ModelOptions) -> list[Listed]:
    """Return every model on this machine, without loading any; those that cannot be used come with the reason."""
    own = [
        Listed(
            entry.facts.name,
            entry.facts,
            entry.at_hand,
            reason=None if entry.at_hand else f"pip install {' '.join(entry.packages)}",
        )
        for entry in registry.MODELS.values()
    ]
    return [*own, *(_looked_at(name, options, weights=weights) for name, weights in _found(options))]


def _found(options: ModelOptions) -> Iterator[tuple[str, bool]]:
    """Yield names of models, and whether their weights are there."""
    yield from _cached(options)
    if options.folder is not None and options.folder.is_dir():
        for config in sorted(options.folder.glob("*/config.json")):
            yield str(config.parent), _has_weights(config.parent)


def _cached(options: ModelOptions) -> Iterator[tuple[str, bool]]:
    """Yield each model of the hub's cache by the shortest name: bare for `main`, with a branch or tag, or a commit."""
    if not installed("huggingface_hub"):
        return
    from huggingface_hub import CacheNotFound, scan_cache_dir  # noqa: PLC0415

    try:
        repositories = scan_cache_dir(options.folder).repos
    except (CacheNotFound, ValueError):  # the second where it is a file
        return
    for repository in sorted(repositories, key=lambda one: one.repo_id):
        if repository.repo_type != "model":
            continue
        for revision in sorted(repository.revisions, key=lambda one: one.commit_hash):
            named = "" if "main" in revision.refs else f"@{min(revision.refs, default=revision.commit_hash)}"
            yield f"{repository.repo_id}{named}", _has_weights(revision.snapshot_path)


def _has_weights(folder: Path) -> bool:
    return any(path.suffix in _WEIGHTS for path in folder.iterdir())


def _looked_at(name: str, options: ModelOptions, *, weights: bool) -> Listed:
    try:
        facts = huggingface.describe(name, options)
        texts = huggingface.knows_text(name, options)
    except LookalikeError as error:
        return Listed(name, None, at_hand=False, reason=str(error))
    missing = None if weights else f"its weights are not here: lookalike model pull {name}"
    return Listed(name, facts, at_hand=weights, knows_text=texts, reason=missing)
