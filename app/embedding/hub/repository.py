"""Models of the Hugging Face hub: their names, what their files say of them, and where those are found.

A name is `org/name`, `org/name@revision` (a branch, tag or commit) or the path of a folder. Files are taken from the
local cache alone unless asked otherwise; code that comes with a model is run only where the deployment allows it.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.options import ModelOptions
from app.embedding.hub.hub_errors import explained
from app.embedding.hub.quiet import quiet
from app.embedding.models.extras import require_huggingface

_ID = re.compile(
    r"(?P<id>(?=.{3,96}(@|$))[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w.][\w./-]*))?", re.ASCII
)
_CARD = "README.md"
_CONFIG = "config.json"
_LICENCE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
_WEIGHTS = ("*.safetensors", "*.bin")
_SAMPLE = 2**20
_RAISING = ("_raise_exceptions_for_missing_entries", "_raise_exceptions_for_connection_errors")


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files are in a folder, or in the cache of the hub as of one commit.

    `runs_code`: whether what is made of them is made by code among them, which the deployment allows.
    """

    name: str
    id: str
    options: ModelOptions
    commit: str | None = None
    folder: Path | None = None
    runs_code: bool = False

    def files(self) -> dict[str, Any]:
        """Return what every `from_pretrained` is told."""
        told: dict[str, Any] = {
            "local_files_only": not self.options.download,
            "trust_remote_code": self.runs_code,
            "cache_dir": self.options.folder,
        }
        if self.commit is not None:
            told["revision"] = self.commit
        return told


def is_hub_name(name: str) -> bool:
    """Say whether a name is of the form `org/name`, `org/name@revision`, or of a folder that there is."""
    return _ID.fullmatch(name) is not None or ("/" in name and is_folder(name))


def parse(name: str) -> tuple[str, str | None] | None:
    """Return the id and the revision that `org/name` or `org/name@revision` names; None where it is neither."""
    match = _ID.fullmatch(name)
    return None if match is None or ".." in name else (match["id"], match["revision"])


def is_folder(name: str) -> bool:
    """Say whether a name is the path of a folder that there is."""
    try:
        return bool(name.strip()) and Path(name).is_dir()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def locate(name: str, options: ModelOptions) -> Source:
    """Return where the files of a model are; of these only the configuration is looked for.

    Raises:
        InvalidRequest: it is neither an id nor a folder, or the model is not at hand.
        ConfigurationError: the cache cannot be written, or transformers is not installed.

    """
    folder = Path(name)
    if is_folder(name):
        if not (folder / _CONFIG).is_file():
            raise InvalidRequest(f"the folder {name!r} holds no model: there is no {_CONFIG} in it")
        require_huggingface(f"the model {name!r}")
        return Source(name, str(folder), options, folder=folder)
    asked = parse(name)
    if asked is None:
        raise InvalidRequest(
            f"{name!r} is neither the id of a Hugging Face model (org/name or org/name@revision) nor a folder"
        )
    require_huggingface(f"the model {name!r}")
    id_, revision = asked
    path = find_file(Source(name, id_, options, revision), _CONFIG)
    commit = None if path is None else path.parent.name  # .../snapshots/<commit>/config.json
    return Source(name, id_, options, commit)


def find_file(source: Source, name: str, *, optional: bool = False) -> Path | None:
    """Return a file of a model, or None if it is optional and not there.

    Raises:
        InvalidRequest: it is not optional and not there.

    """
    from transformers.utils.hub import cached_file  # noqa: PLC0415

    told = source.files()
    del told["trust_remote_code"]
    told |= dict.fromkeys(_RAISING, not optional)
    with absent_files(source), quiet():
        path = cached_file(source.id, name, **told)
    return None if path is None else Path(path)


def read_config(source: Source) -> Any:
    """Return the model's configuration (`PretrainedConfig`), without its weights.

    Raises:
        InvalidRequest: the files are not there or damaged, or it is a model that transformers knows only with code of
            the model's own, and such code is not allowed.

    """
    from transformers import AutoConfig, PretrainedConfig  # noqa: PLC0415  (imports torch)

    with absent_files(source), quiet():
        raw, _ = PretrainedConfig.get_config_dict(source.id, **source.files())
    kind = raw.get("model_type") if isinstance(raw, dict) else None
    if kind is None:
        raise InvalidRequest(
            f"{source.name!r} is not a model of transformers: its configuration names no kind of model"
        )
    told = source.files()
    if not _is_known(kind):
        if not raw.get("auto_map"):
            raise InvalidRequest(
                f"{source.name!r} is of a kind that this version of transformers does not know: {kind!r}"
            )
        if not source.options.remote_code:
            raise InvalidRequest(
                f"{source.name!r} needs program code that comes with it (trust_remote_code); such code is not run here"
                " unless the server's LOOKALIKE_MODEL_REMOTE_CODE allows it"
            )
        told["trust_remote_code"] = True
    try:
        with absent_files(source), quiet():
            return AutoConfig.from_pretrained(source.id, **told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(f"the configuration of {source.name!r} cannot be read: it is damaged") from error


def _is_known(kind: object) -> bool:
    """Say whether transformers itself has this kind of model; code that was run may have added kinds of its own."""
    from transformers.models.auto import configuration_auto  # noqa: PLC0415

    tables: Any = configuration_auto
    return kind in tables.CONFIG_MAPPING_NAMES


def revision_of(source: Source) -> str:
    """Return what tells one state of a model's files from another, twelve hexadecimal digits.

    On the hub: the commit. Of a folder: a digest of its small files, and of the beginning, end and size of its weights.
    """
    if source.folder is None:
        return str(source.commit)[:12]
    digest = hashlib.sha256()
    weights = {path for pattern in _WEIGHTS for path in source.folder.glob(pattern)}
    others = {path for pattern in ("*processor_config.json", "*.py") for path in source.folder.glob(pattern)}
    for path in sorted({source.folder / _CONFIG, *others, *weights}):
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read())
    return digest.hexdigest()[:12]


def licence_of(source: Source) -> str:
    """Return the licence that the model's card states, where the card is at hand, or `unknown`."""
    card = find_file(source, _CARD, optional=True)
    found = _LICENCE.search(card.read_text("utf-8", errors="replace")[:10_000]) if card else None
    return found[1] if found else "unknown"


@contextmanager
def absent_files(source: Source, *, what: str = "files") -> Iterator[None]:
    """Turn the errors of files that cannot be had into one that says what to do."""
    try:
        yield
    except OSError as error:
        if source.folder is not None:
            raise InvalidRequest(
                f"the model in the folder {source.name!r} lacks {what}, or they are damaged"
            ) from error
        if source.options.download:
            raise explained(error, source.name, source.options.folder, what) from error
        raise InvalidRequest(
            f"the {what} of the model {source.name!r} are not on this machine, and the server fetches none by itself:"
            f" run 'lookalike model pull {source.name}' where there is a network"
        ) from error
