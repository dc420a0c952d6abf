"""Lines of JSON: every line comes with its number, made or with the reason why not."""

import os
import threading
from pathlib import Path

import pytest

from app.domain.errors import InvalidRequest
from app.domain.records import Json
from app.services.jsonlines import Line, LineFile

GOOD = b'{"_id": "a"}'


def _ids(record: dict[str, Json]) -> str:
    return str(record["_id"])


def _read(folder: Path, data: bytes, max_bytes: int = 1000) -> list[Line[str]]:
    (folder / "in.jsonl").write_bytes(data)
    return list(LineFile(folder / "in.jsonl").read(_ids, max_bytes))


@pytest.mark.parametrize(
    ("data", "numbers"),
    [
        (GOOD, [1]),
        (GOOD + b"\n", [1]),
        (b"\xef\xbb\xbf" + GOOD + b"\r\n" + GOOD + b"\r\n", [1, 2]),
        (b"\n\r\n  \n" + GOOD + b"\n\n" + GOOD, [4, 6]),
        (b"\t" + GOOD + b"  \n", [1]),
        (b"", []),
        (b"\n\n", []),
    ],
    ids=["no end", "end", "as Windows writes it", "empty lines", "space", "nothing", "only empty"],
)
def test_lines_are_read_however_they_end(tmp_path: Path, data: bytes, numbers: list[int]) -> None:
    assert [(line.number, line.made) for line in _read(tmp_path, data)] == [(number, "a") for number in numbers]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"[1]", "a record must be a JSON object"),
        (b"null", "a record must be a JSON object"),
        (GOOD[:-3], "the line is not JSON"),
        (GOOD + GOOD, "the line is not JSON"),
        (b'{"_id": "b\xe4r"}', "the line is not UTF-8"),
        (b'{"x": NaN}', "x: NaN is not JSON"),
        (b'{"x": [-Infinity]}', "-Infinity is not JSON"),
        (b'{"x": 1e999}', "out of range"),
        (b"[" * 100_000, "longer than 1000 bytes"),
        (b" " * 999 + GOOD, "longer than 1000 bytes"),
        (b"\0", "the line is not JSON"),
    ],
    ids=range(11),
)
def test_a_bad_line_is_named_and_the_next_one_read(tmp_path: Path, bad: bytes, reason: str) -> None:
    first, wrong, last = _read(tmp_path, GOOD + b"\n" + bad + b"\n" + GOOD)
    assert (first.made, last.made, last.number) == ("a", "a", 3)
    assert wrong.place == "line 2"
    assert isinstance(wrong.made, InvalidRequest)
    assert reason in str(wrong.made)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"_id": "a"}'.encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"PK\x03\x04", "ZIP"),
        (b"\xff\xd8\xff\xe0", "is a picture"),
    ],
)
def test_a_file_that_holds_no_lines_is_refused_as_a_whole(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^in.jsonl .*{reason}"):
        _read(tmp_path, data)


def test_a_pipe_is_read_once_and_not_counted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    source = LineFile(tmp_path / "pipe")
    assert source.count() is None
    assert source.beside == Path()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=((GOOD + b"\n") * 3,))
    writer.start()
    assert [line.made for line in source.read(_ids, 1000)] == ["a"] * 3
    writer.join()


def test_lines_are_counted(tmp_path: Path) -> None:
    for data, number in ((b"", 0), (b"a", 1), (b"a\n", 1), (b"a\n\nb", 3)):
        (tmp_path / "in.jsonl").write_bytes(data)
        assert LineFile(tmp_path / "in.jsonl").count() == number
    assert LineFile(tmp_path / "in.jsonl").beside == tmp_path
