"""What a benchmark prints: tables in Markdown, targets met or not, and the machine it ran on."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tabulate import tabulate

_PACKAGES = ("onnxruntime", "torch", "numpy", "pillow", "psycopg", "flask", "gunicorn")


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that is to be reached: `wanted` in words, `figure` as measured."""

    name: str
    wanted: str
    figure: str
    met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table of one run: cells are text already, notes are sentences below it."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def _sides(self) -> list[str]:
        columns = zip(*self.rows, strict=True)
        return ["right" if all(not cell or cell[0].isdigit() for cell in column) else "left" for column in columns]

    def markdown(self) -> str:
        """Return the table as Markdown, numbers to the right."""
        lines = [
            f"## {self.title}",
            "",
            tabulate(self.rows, self.header, "pipe", disable_numparse=True, colalign=self._sides()),
        ]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines)


def summary(tables: Sequence[Table]) -> Table:
    """Return the table of all targets, each with its figure and whether it is met."""
    targets = [target for table in tables for target in table.targets]
    rows = [(target.name, target.wanted, target.figure, "met" if target.met else "NOT MET") for target in targets]
    return Table("Targets", ("target", "wanted", "measured", ""), rows)


def machine(database: str) -> str:
    """Return one line on the machine and the versions; `database` is PostgreSQL's in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"Python {platform.python_version()}, {database}, {packages}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
