"""Tags of fashion pictures: one taxonomy, and what each model makes of its sentences, computed once and kept."""

import hashlib
import logging
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import ConfigurationError, InvalidRequest
from app.embedding.models.base import ModelFacts
from app.embedding.models.batching import BatchedEmbedder, Models
from app.embedding.tags.taxonomy import Taxonomy
from app.embedding.tags.zeroshot import Directions, Tag, directions_of, tags_of

log = logging.getLogger(__name__)

_SAME = 0.999  # cosine from which two embeddings of one text are of one model; half precision stays above


class Tagger:
    """Gives pictures the tags of one taxonomy, by their embeddings.

    Args:
        models: the process's models.
        taxonomy: groups, labels, sentences. Each model reads its sentences once, at the first use.
        folder: where the directions of the labels are kept, so that the next start need not compute them again; None:
            nowhere.

    """

    def __init__(self, models: Models, taxonomy: Taxonomy, folder: Path | None = None) -> None:
        self._models = models
        self._taxonomy = taxonomy
        self._folder = folder
        self._directions: dict[ModelFacts, Directions] = {}
        self._lock = threading.Lock()

    def knows(self, model: str) -> bool:
        """Say whether a model can tag: whether it knows texts.

        Raises:
            InvalidRequest: there is no model of this name.

        """
        return self._models.get(model).text_scoring is not None

    def warm_up(self, model: str) -> None:
        """Let a model read the sentences now, so that no request waits for that.

        Raises:
            InvalidRequest: there is no model of this name, or it knows pictures only.
            ConfigurationError: the model would not read a sentence of the taxonomy to its end.
            Unavailable: the model is too busy.

        """
        self._read(self._models.get(model))

    def tags(self, model: str, embeddings: NDArray[np.float32]) -> list[list[Tag]]:
        """Return the tags of each picture, group by group, the most probable first.

        Args:
            model: a model that knows texts.
            embeddings: (n, dimensions) rows of unit length, of that model.

        Raises:
            InvalidRequest: there is no model of this name, or it knows pictures only.
            ConfigurationError: the model would not read a sentence of the taxonomy to its end.
            Unavailable: the model is too busy.

        """
        embedder = self._models.get(model)
        scoring = embedder.text_scoring
        if scoring is None:
            raise InvalidRequest(f"the model {model!r} knows pictures only; tags need a text-image model")
        directions = self._read(embedder)
        return [tags_of(self._taxonomy, directions, scoring, embedding) for embedding in embeddings]

    def _read(self, embedder: BatchedEmbedder) -> Directions:
        found = self._directions.get(embedder.facts)
        if found is None:
            with self._lock:
                found = self._directions.get(embedder.facts)
                if found is None:
                    found = self._directions[embedder.facts] = self._kept_or_read(embedder)
        return found

    def _kept_or_read(self, embedder: BatchedEmbedder) -> Directions:
        # The probe tells a tokenizer or a way of computing that is another one, of which the revision knows nothing.
        probe = _embedded(embedder, [max(self._taxonomy.all_prompts(), key=len)])
        path = None if self._folder is None else self._folder / f"{_key(embedder.facts, self._taxonomy)}.npz"
        found = None if path is None else _load(path, probe, [len(group.labels) for group in self._taxonomy.groups])
        if found is None:
            found = directions_of(self._taxonomy, lambda texts: _embedded(embedder, texts))
            if path is not None:
                _save(path, probe, found)
        return found


def _embedded(embedder: BatchedEmbedder, texts: Sequence[str]) -> NDArray[np.float32]:
    try:
        return embedder.embed_text(texts)
    except InvalidRequest as error:
        raise ConfigurationError(f"a sentence of the fashion taxonomy is too long: {error}") from error


def _key(facts: ModelFacts, taxonomy: Taxonomy) -> str:
    return hashlib.sha256(f"{facts.name}\n{facts.revision}\n{taxonomy.digest}".encode()).hexdigest()


def _load(path: Path, probe: NDArray[np.float32], sizes: Sequence[int]) -> Directions | None:
    """Return what was kept; None where nothing was, it is damaged, or the model gives other vectors today."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            rows = tuple(np.asarray(kept[str(place)], np.float32) for place in range(len(sizes)))
            known = np.asarray(kept["probe"], np.float32)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("the sentences of the fashion taxonomy are read again: %s is damaged (%s)", path, error)
        return None
    fits = known.shape == probe.shape and float((known * probe).sum()) > _SAME
    return rows if fits and [row.shape for row in rows] == [(size, probe.shape[1]) for size in sizes] else None


def _save(path: Path, probe: NDArray[np.float32], directions: Directions) -> None:
    arrays = {str(place): rows for place, rows in enumerate(directions)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as stream:
            np.savez(stream, allow_pickle=False, probe=probe, **arrays)
        Path(stream.name).replace(path)
    except OSError as error:
        log.warning("what was read of the fashion taxonomy is not kept: %s", error)
