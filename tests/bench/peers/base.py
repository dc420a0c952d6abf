"""What an engine is given and what it must do; this module imports no engine, so that a process loads its own alone."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tests.bench.shop import Condition

# Links of a graph's node and effort of its construction, the same ones for every engine that has them.
M = 16
EF_CONSTRUCTION = 64

# What shops ask for beside the nearest records; what an engine answers to each is said by `Engine.refined`.
FACET, CUTOFF, VARIED, GROUPS = "facet", "cutoff", "varied", "groups"
CANDIDATES, DIVERSITY, GROUP, NOTHING = 100, 0.5, 3, 1e-6

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Stock:
    """The records on disk: `vectors.npy`, float32 of unit length, and their price and category, by record number.

    They are read in parts, so that a process holds no more of them than the engine in it does.
    """

    folder: Path

    @classmethod
    def write(cls, folder: Path, vectors: Vector, prices: NDArray[np.float64], categories: Sequence[str]) -> "Stock":
        """Put records into a folder; shapes (n, dimensions), (n,), n."""
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "prices.npy", prices)
        (folder / "categories.json").write_text(json.dumps(list(categories)))
        return cls(folder)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of records, and dimensions."""
        rows, dimensions = np.load(self.folder / "vectors.npy", mmap_mode="r").shape
        return int(rows), int(dimensions)

    def parts(self, size: int) -> Iterator["Part"]:
        """Yield the records in their order, at most `size` at a time."""
        prices = np.load(self.folder / "prices.npy")
        categories = json.loads((self.folder / "categories.json").read_text())
        for start in range(0, len(prices), size):
            end = min(start + size, len(prices))
            vectors = np.array(np.load(self.folder / "vectors.npy", mmap_mode="r")[start:end])
            yield Part(start, vectors, [float(price) for price in prices[start:end]], categories[start:end])


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive records, `start` the number of the first; vectors of shape (n, dimensions)."""

    start: int
    vectors: Vector
    prices: list[float]
    categories: list[str]

    @property
    def numbers(self) -> range:
        """The records' numbers."""
        return range(self.start, self.start + len(self.prices))


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an engine takes beside the memory of its own process: bytes on disk, bytes of memory elsewhere."""

    disk: int
    memory_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine keeps its records: a folder of its own, or a database and a name in it."""

    folder: Path
    url: str
    collection: str


class Engine(Protocol):
    """One engine. A process calls `build`, another one `open` and what follows."""

    filters: bool
    """Whether a search can have a condition."""
    durable: str | None
    """What an update has reached when it returns; None: there are no attributes to update."""

    def version(self) -> str:
        """Return the version that is installed."""
        ...

    def build(self, stock: Stock) -> None:
        """Store all records with their attributes, and build every index."""
        ...

    def open(self) -> None:
        """Make what was built ready to be searched."""
        ...

    def search(self, query: Vector, k: int, effort: int | None, condition: Condition | None) -> list[int]:
        """Return the numbers of the k records nearest by cosine; effort None: the engine's default."""
        ...

    def update(self, numbers: Sequence[int], price: float) -> None:
        """Give records another price, in one call."""
        ...

    def footprint(self) -> Footprint:
        """Return what the engine takes beside its process's memory; after `build`, what building took as well."""
        ...

    def close(self) -> None:
        """Let go of everything that `open` or `build` took."""
        ...


class Refining(Engine, Protocol):
    """An engine that answers more than the nearest records."""

    def refined(self, way: str, query: Vector, k: int, condition: Condition | None) -> list[int]:
        """Answer one of what `Peer.refined` says that it has, at its default effort.

        `FACET`: how many of the records that match have each category, the most first. `CUTOFF`: the nearest k within a
        cosine distance of `NOTHING`. `VARIED`: k of the `CANDIDATES` nearest by maximal marginal relevance. `GROUPS`:
        the `GROUP` nearest of each of the k nearest categories. All but the first are numbers of records.
        """
        ...


Maker = Callable[[Place], Engine]


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine by name: the module that has it, the packages it needs beside the program's own, and how it is set."""

    name: str
    module: str
    packages: tuple[str, ...]
    setting: str
    efforts: tuple[int | None, ...] = (40, 100, 200, 400)
    default_effort: int | None = 100
    """Effort of the filtered searches."""
    refined: tuple[str, ...] = ()
    """What it has of `FACET`, `CUTOFF`, `VARIED` and `GROUPS`."""


PEERS = (
    Peer(
        "ours",
        "own",
        (),
        "the server's search at default settings",
        (None, 40, 200, 400),
        None,
        (FACET, CUTOFF, VARIED, GROUPS),
    ),
    Peer(
        "pgvector by hand",
        "plain",
        (),
        "one table with halfvec, HNSW, a GIN index of the attributes and a B-tree of the price, relaxed iterative scan",
    ),
    Peer(
        "Qdrant's core",
        "qdrant",
        ("qdrant-edge-py",),
        "float32, payload indexes on price and category made first, optimised, one search thread",
        refined=(FACET, CUTOFF, VARIED),
    ),
    Peer("Chroma", "chroma", ("chromadb",), "float32, metadata of price and category"),
    Peer(
        "LanceDB",
        "lance",
        ("lancedb",),
        "IVF_HNSW_SQ in one partition, refined from twice k, B-trees on price and number, bitmap on category",
    ),
    Peer(
        "Milvus Lite",
        "milvus",
        ("milvus-lite", "pymilvus"),
        "HNSW on float32, inverted indexes on price and category",
        refined=(CUTOFF, GROUPS),
    ),
    Peer("usearch", "usearch_index", ("usearch",), "a library in the process: float16, no attributes"),
)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder, as the disk counts them."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def versions(*packages: str) -> str:
    """Return the installed versions of packages, in words."""
    return ", ".join(f"{package} {version(package)}" for package in packages)
