"""What every benchmark is given, and the pictures it works on."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.db import collections as table
from app.demo.catalogue import catalogue
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound
from app.domain.options import ImageLimits
from app.services import collections, records
from app.services.context import Context
from app.services.folders import folder_items
from app.services.pipeline import Item

_SERVICE = "photo"
_HELD_OUT = 10


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts that benchmarks share.

    Attributes:
        context: services on the database that is measured; collections named `bench-…` are made there and dropped.
        photos: the pictures, each with its class in the attribute `category`.
        home: folder for what is worth keeping between runs (embeddings of crops) and for the server's log.
        environment: environment variables of the server process, the database among them.
        vectors: vectors in the large collection.
        seconds: length of one round of requests.
        tell: is given a line on what is being done.
        plots: folder that plots are written to; None: none are drawn.

    """

    context: Context
    photos: Sequence[Item]
    home: Path
    environment: dict[str, str]
    vectors: int
    seconds: float
    tell: Callable[[str], None]
    plots: Path | None = None

    @property
    def limits(self) -> ImageLimits:
        """How large a picture may be."""
        return self.context.settings.images

    @property
    def decode_threads(self) -> int:
        """Threads that a bulk load decodes in."""
        return max(2, self.context.settings.model_threads)

    @contextmanager
    def collection(self, name: str) -> Iterator[Collection]:
        """Make a fresh, empty collection, and drop it at the end."""
        self._drop(name)
        try:
            yield collections.create(self.context, name, _SERVICE)
        finally:
            self._drop(name)

    def lasting(self, name: str) -> tuple[Collection, bool]:
        """Return a collection that is kept for the next run, and whether it was made now and is to be filled."""
        with suppress(CollectionNotFound):
            found = self.context.lookup.collection(name)
            if records.count(self.context, found) and found.indexed:
                return found, False
            self._drop(name)
        return collections.create(self.context, name, _SERVICE), True

    def _drop(self, name: str) -> None:
        with suppress(CollectionNotFound):
            table.drop(self.context.db, name)
        self.context.lookup.forget(name)


def photos(folder: Path | None, home: Path, tell: Callable[[str], None]) -> Sequence[Item]:
    """Return the pictures of a folder with one sub-folder a class; without a folder, the sample catalogue's."""
    if folder is None:
        folder = home / "sample"
        if not (folder / "complete").exists():
            tell("taking the pictures of the sample catalogue, as no folder of photos is given")
            for product in catalogue():
                path = folder / str(product.attributes["category"]) / f"{product.id}.webp"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(product.data)
            (folder / "complete").touch()
    return folder_items(folder)


def held_out(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Return the items to search among, and 1 in 10 of each class to search for, the same ones in every run."""
    by_class: dict[str, list[Item]] = {}
    for item in items:
        by_class.setdefault(category(item), []).append(item)
    kept: list[Item] = []
    queries: list[Item] = []
    for members in by_class.values():
        for position, item in enumerate(members):
            (queries if position % _HELD_OUT == _HELD_OUT - 1 else kept).append(item)
    return kept, queries


def category(item: Item) -> str:
    """Return an item's class."""
    return str(item.attributes.get("category", ""))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start
