"""Files of a model may fail to be fetched or kept: a sentence says why to the person who can mend it."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from app.domain.errors import ConfigurationError, InvalidRequest, LookalikeError

_STORAGE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO}
)


def explained(error: BaseException, name: str, folder: Path | None, what: str = "files") -> LookalikeError:
    """Return the error to raise instead of one of huggingface_hub's, or of the file system's beneath it.

    Args:
        error: what was raised; the errors that it came from are looked at as well.
        name: the model, as it was asked for.
        folder: where it was to be kept; None: in the hub's own cache.
        what: what was to be had of it.

    """
    from huggingface_hub import constants  # noqa: PLC0415  (a tenth of a second, only where a model is fetched)

    if constants.HF_HUB_OFFLINE:
        return InvalidRequest(f"the {what} of {name!r} are not fetched: HF_HUB_OFFLINE forbids it")
    found = list(_causes(error))
    for kind, sentence in _sentences():
        if any(isinstance(one, kind) for one in found):
            return InvalidRequest(sentence.format(name=name, what=what))
    if stored := next((one for one in found if _is_storage(one)), None):
        return ConfigurationError(
            f"the {what} of {name!r} cannot be kept: {os.strerror(stored.errno or 0)}; make room, or name another"
            " folder (LOOKALIKE_MODELS_FOLDER)"
        )
    check_folder(folder)
    return InvalidRequest(
        f"the {what} of {name!r} could not be fetched: the Hugging Face hub cannot be reached from here, or lacks them"
    )


def _sentences() -> tuple[tuple[type[BaseException], str], ...]:
    """Return what is said of each error of the hub; one that is derived from another stands before it."""
    from huggingface_hub import errors  # noqa: PLC0415

    return (
        (
            errors.GatedRepoError,
            "the model {name!r} is only for accounts that agreed to its terms: do so, and put a token into HF_TOKEN",
        ),
        (errors.RevisionNotFoundError, "the Hugging Face hub has no such revision of the model: {name!r}"),
        (
            errors.RepositoryNotFoundError,
            "there is no model {name!r} on the Hugging Face hub; if it is a private one, put a token into HF_TOKEN",
        ),
        (errors.RemoteEntryNotFoundError, "the model {name!r} on the Hugging Face hub lacks the {what} needed"),
    )


def check_folder(folder: Path | None) -> None:
    """Make the folder that models are kept in, if it is not there, and write to it.

    Raises:
        ConfigurationError: it cannot be made or written.

    """
    from huggingface_hub import constants  # noqa: PLC0415

    try:
        place = folder or Path(constants.HF_HUB_CACHE)
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as stream:
            stream.write(b"?")
    except OSError as error:
        raise ConfigurationError(
            f"the folder of models cannot be written: {error.strerror}; name another (LOOKALIKE_MODELS_FOLDER)"
        ) from error


def _is_storage(error: BaseException) -> TypeGuard[OSError]:
    """Say whether it is an error of the file system itself: its number, and none of the classes derived for others."""
    return isinstance(error, OSError) and error.errno in _STORAGE and type(error).__module__ == "builtins"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
