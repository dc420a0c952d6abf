"""Folders of pictures: every file in them is an item or is named with the reason why it is none."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from app.domain.errors import ImageError, InvalidRequest
from app.services.folders import folder_items, scan
from app.services.pipeline import Item
from tests.pictures import encoded, photo

JPEG = encoded(photo(), "JPEG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("1.jpg", "2.JPG", "3.jfif", "4.pjpeg", "bare", "5.jpg.bak", "shoes/1.jpg", "shoes/deep/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(JPEG)
    return root


def _passed_over(folder: Path) -> dict[str, str]:
    return {one.place: one.reason for one in scan(folder) if not isinstance(one, Item) and one.passed_over}


def _failed(folder: Path, max_bytes: int | None = None) -> dict[str, str]:
    return {
        one.place: one.reason for one in scan(folder, max_bytes) if not isinstance(one, Item) and not one.passed_over
    }


def test_pictures_are_items_whatever_their_names_end_in(folder: Path) -> None:
    items = folder_items(folder)
    assert [item.id for item in items] == [
        "1.jpg", "2.JPG", "3.jfif", "4.pjpeg", "5.jpg.bak", "bare", "shoes/1.jpg", "shoes/deep/1.jpg",
    ]  # fmt: skip
    assert items[-1].attributes == {"_file": "shoes/deep/1.jpg", "category": "deep"}
    assert [item.former for item in items[-3:]] == [None, "1.jpg", "1.jpg"]
    assert items[0].read() == JPEG
    assert _passed_over(folder) == _failed(folder) == {}


def test_what_is_no_picture_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "notes.txt").write_text("no picture")
    (folder / "empty").touch()
    shutil.copy(folder / "1.jpg", folder / ".hidden.jpg")
    (folder / ".git").mkdir()
    (folder / "link.jpg").symlink_to(folder / "1.jpg")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.jpg")
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("door.jpg")
    assert _passed_over(folder) == {
        ".git": "hidden",
        ".hidden.jpg": "hidden",
        "door.jpg": "not a file",
        "empty": "no picture, by its name and its first bytes",
        "gone.jpg": "a link to nothing",
        "notes.txt": "no picture, by its name and its first bytes",
        "pipe.jpg": "not a file",
        "round": "a link to a folder, which is not followed",
    }
    assert "link.jpg" in {item.id for item in folder_items(folder)}


def test_names_that_cannot_be_ids_are_named(folder: Path) -> None:
    shutil.copy(folder / "1.jpg", folder / os.fsdecode(b"b\xe4r.jpg"))
    (folder / os.fsdecode(b"\xff")).mkdir()
    shutil.copy(folder / "1.jpg", folder / os.fsdecode(b"\xff"))
    deep = folder.joinpath(*["x" * 250] * 5)
    deep.mkdir(parents=True)
    shutil.copy(folder / "1.jpg", deep)
    wrong = "its path is not UTF-8, as an _id must be: rename it"
    long = f"{'/'.join(['x' * 250] * 5)}/1.jpg"
    assert _failed(folder) == {
        "b\\xe4r.jpg": wrong, "\\xff/1.jpg": wrong, long: "_id must have 1 to 1024 bytes"
    }  # fmt: skip
    assert len(folder_items(folder)) == 8


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    with (folder / "1.jpg").open("r+b") as stream:
        stream.truncate(2**40)  # a hole: it takes no room
    with pytest.raises(ImageError, match="1099511627776 bytes; 100000 are allowed"):
        folder_items(folder, 100_000)[0].read()


def test_a_folder_without_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InvalidRequest, match=r"no picture in .*: 1 other files"):
        scan(tmp_path)
    with pytest.raises(InvalidRequest, match="is not a folder"):
        scan(tmp_path / "notes.txt")
