"""Fetching a model of the Hugging Face hub beforehand, so that the server needs no network."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.options import ModelOptions
from app.embedding.hub import repository
from app.embedding.hub.hub_errors import check_folder, explained
from app.embedding.models import huggingface, pooling
from app.embedding.models.base import ModelFacts
from app.embedding.models.extras import require_huggingface

_SMALL = re.compile(r"README\.md|[^/]+\.(json|txt|model)")
_CODE = re.compile(r"[^/]+\.py")
# Whole, or in parts with an index (a .json). Of the two forms of weights the first that there is.
_WEIGHTS = (
    re.compile(r"model(-\d+-of-\d+)?\.safetensors"),
    re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin"),
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pull fetched these files, of the commit to name (`org/name@commit`) so that it is this one for ever."""

    id: str
    commit: str
    facts: ModelFacts
    bytes: int

    @property
    def pinned(self) -> str:
        """The name that stays the same model whatever its authors publish."""
        return f"{self.id}@{self.commit}"


def pull(name: str, options: ModelOptions, *, bars: bool = False) -> Pulled:
    """Fetch what is needed of a model, and nothing else: no other framework's weights, no code unless it is allowed.

    Its configuration comes first: of a model that cannot be used nothing more is kept.

    Args:
        name: `org/name` or `org/name@revision`.
        options: where it is kept.
        bars: whether progress is drawn on stderr.

    Raises:
        InvalidRequest: there is no such model or revision, it is no image model or of a kind not known here, it needs
            code of its own, or the hub cannot be reached.
        ConfigurationError: the folder of models is full or cannot be written, or transformers is not installed.

    """
    asked = repository.parse(name)
    if asked is None:
        raise InvalidRequest(
            f"{name!r} is not the id of a model of the Hugging Face hub (org/name or org/name@revision)"
        )
    if repository.is_folder(name):
        raise InvalidRequest(f"{name!r} is a folder here, which stands for itself: run this from another folder")
    require_huggingface(f"the model {name!r}")
    from huggingface_hub import utils  # noqa: PLC0415

    library: Any = utils
    id_, revision = asked
    check_folder(options.folder)
    library.logging.set_verbosity_error()  # its remarks on each try to connect
    (library.enable_progress_bars if bars else library.disable_progress_bars)()
    online = replace(options, download=True)
    files = _listed(name, id_, revision, options)
    config = repository.read_config(repository.locate(name, online))
    facts = huggingface.describe(name, online)
    chosen = _choose(name, files, code=pooling.family_of(name, config).own_code)
    commit = _fetch(name, id_, revision, chosen, options)
    size = sum(path.stat().st_size for path in commit.iterdir() if path.name in chosen)
    return Pulled(id_, commit.name, facts, size)


def _listed(name: str, id_: str, revision: str | None, options: ModelOptions) -> list[str]:
    """Return the names of the model's files on the hub."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    with _clear(name, options, "list of files"):
        siblings = HfApi().model_info(id_, revision=revision).siblings
    return [one.rfilename for one in siblings or ()]


def _choose(name: str, files: Sequence[str], *, code: bool) -> list[str]:
    for form in _WEIGHTS:
        if weights := [file for file in files if form.fullmatch(file)]:
            kept = [file for file in files if _SMALL.fullmatch(file) or (code and _CODE.fullmatch(file))]
            return [*kept, *weights]
    raise InvalidRequest(f"the model {name!r} has no weights that can be used: model.safetensors or pytorch_model.bin")


def _fetch(name: str, id_: str, revision: str | None, files: list[str], options: ModelOptions) -> Path:
    """Return the folder of the snapshot, whose name is the commit."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _clear(name, options, "files"):
        return Path(snapshot_download(id_, revision=revision, cache_dir=options.folder, allow_patterns=files))


@contextmanager
def _clear(name: str, options: ModelOptions, what: str) -> Iterator[None]:
    """Turn an error of the hub's library into one that says what to do."""
    try:
        yield
    except Exception as error:  # its errors have no base of their own
        raise explained(error, name, options.folder, what) from error
