"""Chunks, and writing one while the next is made."""

import threading
from collections.abc import Iterator

import pytest

from app.services.chunking import CHUNK_BYTES, chunks, write_behind


def test_a_chunk_ends_at_its_number_or_its_bytes() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([1, 2, 3], 9, lambda _: CHUNK_BYTES)) == [[1], [2], [3]]
    assert list(chunks([], 2)) == []


def test_one_chunk_is_written_while_the_next_is_made_and_no_more() -> None:
    made: list[int] = []
    written: list[int] = []
    second_is_made = threading.Event()

    def making() -> Iterator[int]:
        for number in range(4):
            assert len(made) - len(written) <= 1
            made.append(number)
            if number == 1:
                second_is_made.set()
            yield number

    def write(number: int) -> str:
        assert second_is_made.wait(20)
        written.append(number)
        return str(number)

    assert list(write_behind(making(), write)) == ["0", "1", "2", "3"]
    assert written == made == [0, 1, 2, 3]


def test_an_error_of_either_side_ends_it() -> None:
    def failing(number: int) -> int:
        if number == 1:
            raise ValueError("not written")
        return number

    results = write_behind(iter(range(4)), failing)
    assert next(results) == 0
    with pytest.raises(ValueError, match="not written"):
        next(results)

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("not read")

    written: list[int] = []
    with pytest.raises(OSError, match="not read"):
        list(write_behind(broken(), written.append))
    assert written == [1]
