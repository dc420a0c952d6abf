"""What a benchmark prints: tables in Markdown, targets met or not, and the machine it ran on."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("torch", "numpy", "pillow", "psycopg", "flask", "gunicorn")


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

    def markdown(self) -> str:
        """Return the table as Markdown, numbers to the right."""
        lines = [f"## {self.title}", "", *_grid(self.header, self.rows)]
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


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of values in any order, interpolated between the two that are nearest to it.

    Args:
        values: at least one.
        share: 0.0 (the least) to 1.0 (the greatest).

    Raises:
        ValueError: there are no values.

    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values: Sequence[float]) -> float:
    """Return the median of values in any order."""
    return percentile(values, 0.5)


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]
    right = [bool(rows) and all(_numeric(row[column]) for row in rows) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, right, strict=True)]
    return [line(header), line(rule), *map(line, rows)]


def _numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
