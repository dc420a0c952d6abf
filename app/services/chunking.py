"""Work on many records goes chunk by chunk, each bounded in number and bytes, so that memory stays flat."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Result = TypeVar("Result")

CHUNK_BYTES = 8 * 2**20


def chunks(items: Iterable[T], most: int, size: Callable[[T], int] = lambda _: 0) -> Iterator[list[T]]:
    """Yield items in lists of `most`, the last one shorter; a list ends earlier where its sizes reach 8 MiB."""
    chunk: list[T] = []
    held = 0
    for item in items:
        chunk.append(item)
        held += size(item)
        if len(chunk) >= most or held >= CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def write_behind(made: Iterable[T], write: Callable[[T], Result]) -> Iterator[Result]:
    """Write each chunk in a thread while the next one is made, and never more; yield the results in order."""
    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        writing: Future[Result] | None = None
        for chunk in made:
            if writing is not None:
                yield writing.result()
            writing = writer.submit(write, chunk)
            del chunk  # it is free once it is written
        if writing is not None:
            yield writing.result()
