"""Folders of pictures: an item for each picture, and a word about every file that is none."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from app.domain.errors import ImageError, InvalidRequest
from app.domain.records import Json
from app.embedding.pictures.formats import HEAD_BYTES, MEDIA_TYPES, looks_like_a_picture
from app.services.context import Context
from app.services.pipeline import Item, Unusable
from app.services.record_input import checked_id

# Files of these names are tried whatever is in them, so that a damaged one is named; others where their first bytes are
# those of a picture.
PICTURE_SUFFIXES = frozenset(MEDIA_TYPES)

_LINK_TO_NOTHING = "a link to nothing"
_LINK_TO_A_FOLDER = "a link to a folder, which is not followed"
# What an unmounted disk or a folder that was moved leaves: there may be pictures behind them.
_LINKS = (_LINK_TO_NOTHING, _LINK_TO_A_FOLDER)


def folder_items(folder: Path, max_bytes: int | None = None) -> list[Item]:
    """Return an item for each picture below a folder, as `scan` finds them.

    Raises:
        InvalidRequest: there is no such folder, or no picture in it.

    """
    return [one for one in scan(folder, max_bytes) if isinstance(one, Item)]


def scan(folder: Path, max_bytes: int | None = None) -> list[Item | Unusable]:
    """Return an item for each picture below a folder, and a note about everything else in it, in the order of names.

    The path below the folder, with `/`, is the `_id` and the `_file`; the name of the sub-folder is the `category`.
    Hidden files and folders, links to folders, and what is no file (a pipe, a socket) are passed over.

    Args:
        folder: where to look, at any depth.
        max_bytes: of one picture; None: any number.

    Raises:
        InvalidRequest: there is no such folder, or no picture in it.

    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is not a folder")
    found = list(_scan(folder, "", max_bytes))
    if all(isinstance(one, Unusable) and one.passed_over for one in found):
        raise InvalidRequest(f"there is no picture in {folder}: {len(found)} other files and folders are in it")
    return found


def walk(folder: Path, max_bytes: int | None = None, after: str | None = None) -> Iterator[Item | Unusable]:
    """Yield what `scan` returns, as it is found: nothing is held. `after` is the place that comes before the first."""
    return _scan(folder, "", max_bytes, None if after is None else tuple(map(os.fsencode, after.split("/"))))


def _scan(
    root: Path, below: str, max_bytes: int | None, after: tuple[bytes, ...] | None = None
) -> Iterator[Item | Unusable]:
    try:
        with os.scandir(root / below) as entries:
            listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Unusable(shown(below) or str(root), f"the folder cannot be read: {error.strerror}")
        return
    for entry in listed:
        path = f"{below}{entry.name}"
        name = os.fsencode(entry.name)
        deeper = after[1:] if after is not None and len(after) > 1 and name == after[0] else None
        if after is not None and name <= after[0] and deeper is None:
            continue
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _scan(root, f"{path}/", max_bytes, deeper)
        else:
            yield _file(entry, path, max_bytes)


def _file(entry: os.DirEntry[str], path: str, max_bytes: int | None) -> Item | Unusable:
    try:
        if (reason := _passed_over(entry)) is not None:
            return Unusable(shown(path), reason, passed_over=True, hides=reason in _LINKS)
        return _item(entry, path, max_bytes)
    except OSError as error:
        return Unusable(shown(path), f"the file cannot be read: {error.strerror}")
    except InvalidRequest as error:
        return Unusable(shown(path), str(error))


def _passed_over(entry: os.DirEntry[str]) -> str | None:
    """Return why an entry of a folder is not tried; None for a file that may be a picture."""
    if entry.name.startswith("."):
        return "hidden"
    path = Path(entry.path)
    if entry.is_symlink() and not path.exists():
        return _LINK_TO_NOTHING
    if entry.is_dir():
        return _LINK_TO_A_FOLDER
    if not entry.is_file():
        return "not a file"
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return None
    with path.open("rb") as stream:
        return None if looks_like_a_picture(stream.read(HEAD_BYTES)) else "no picture, by its name and its first bytes"


def _item(entry: os.DirEntry[str], path: str, max_bytes: int | None) -> Item:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("its path is not UTF-8, as an _id must be: rename it") from None
    attributes: dict[str, Json] = {"_file": path}
    folders = path.split("/")[:-1]
    if folders:
        attributes["category"] = folders[-1]
    read = partial(read_file, Path(entry.path), max_bytes)
    return Item(
        checked_id(path),
        attributes,
        read,
        place=path,
        size=entry.stat().st_size,
        former=entry.name if folders else None,
    )


def shown(path: str) -> str:
    r"""Return a path as text: bytes that are not UTF-8 as `\xe4`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_file(path: Path, max_bytes: int | None) -> bytes:
    """Return what is in a file.

    Raises:
        ImageError: it has more than `max_bytes` bytes.
        OSError: it cannot be read.

    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise ImageError(f"the picture has {size} bytes; {max_bytes} are allowed")
        return stream.read(-1 if max_bytes is None else max_bytes + 1)


def picture_of(context: Context, fields: Mapping[str, Json], beside: Path | None) -> bytes:
    """Return the picture of a record, as an insert reads it; a relative `_file` is looked for in `beside` first.

    Raises:
        ImageError: it cannot be had.

    """
    if (data := picture_beside(context, fields, beside)) is not None:
        return data
    name = fields.get("_file")
    named_alone = isinstance(name, str) and not fields.get("_base64") and not fields.get("_url")
    if beside is not None and named_alone and context.settings.files_root is None:
        raise ImageError(f"there is no file {str(name)[:200]!r} beside the source")
    source = context.pictures.read_many([fields])[0]
    if isinstance(source, ImageError):
        raise source
    return source


def picture_beside(context: Context, fields: Mapping[str, Json], beside: Path | None) -> bytes | None:
    """Return the picture of a record whose `_file` lies in `beside`; None where there is no such file.

    Raises:
        ImageError: it is too large.

    """
    name = fields.get("_file")
    if beside is not None and isinstance(name, str) and not fields.get("_base64") and "\0" not in name:
        path = (beside / name).resolve()
        if path.is_relative_to(beside.resolve()) and path.is_file():
            return read_file(path, context.settings.max_image_bytes)
    return None
