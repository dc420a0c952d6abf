"""Plots of the tables, as SVG: the same figures give the same bytes.

matplotlib comes with the extra `peers`. Where it is missing the tables are complete without it.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.power_law import Power

if TYPE_CHECKING:
    from tests.bench.growth import Measured
    from tests.bench.peers.compare import Result

_SETTINGS = {
    "svg.hashsalt": "lookalike",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
# Told apart by those who see few colours, too (Okabe and Ito); ours is black, and each has a mark of its own.
_COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")


def told(folder: Path, draw: Callable[[Path], list[Path]]) -> str:
    """Draw, and say in a sentence what was drawn or why nothing was."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No plot was drawn: matplotlib is not installed; pip install 'lookalike[peers]'."
    folder.mkdir(parents=True, exist_ok=True)
    return f"Plots: {', '.join(path.name for path in draw(folder))}."


def peers(folder: Path, results: Sequence["Result"]) -> list[Path]:
    """Draw recall against queries a second, and filtered search by filter; return the files."""
    return [
        _saved(folder / "peers-recall.svg", (8.0, 5.0), 1, lambda axes: _recall(axes[0], results)),
        _saved(folder / "peers-filtered.svg", (9.5, 8.0), 2, lambda axes: _filtered(axes, results)),
    ]


def growth(folder: Path, rows: Sequence["Measured"], fits: dict[str, Power], until: int) -> list[Path]:
    """Draw seconds, sizes and searches over the number of vectors with their power laws; return the file."""
    return [_saved(folder / "growth.svg", (8.0, 11.0), 3, lambda axes: _growth(axes, rows, fits, until))]


def _saved(path: Path, inches: tuple[float, float], parts: int, draw: Callable[[Sequence[Any]], None]) -> Path:
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context(_SETTINGS):
        figure = figures.Figure(figsize=inches, layout="constrained")
        draw(figure.subplots(parts, 1, squeeze=False)[:, 0])
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path


def _recall(axes: Any, results: Sequence["Result"]) -> None:
    for number, one in enumerate(results):
        if one.efforts:
            points = sorted((judged.recall, judged.rate) for _, judged in one.efforts)
            axes.plot(*zip(*points, strict=True), label=one.peer.name, **_line(number))
    axes.set(
        xlabel="recall@20", ylabel="queries a second, one client", yscale="log", title="Recall against speed, no filter"
    )
    _legend(axes)


def _filtered(both: Sequence[Any], results: Sequence["Result"]) -> None:
    names: list[str] = []
    for number, one in enumerate(results):
        names = [name for name, _ in one.visits] or names
        times = [judged.p50_ms for _, judged in one.visits]
        recalls = [judged.recall for _, judged in one.visits]
        if one.visits:
            _points(both[0], number, one.peer.name, names, times)
            _points(both[1], number, one.peer.name, names, recalls)
    places = range(len(names))
    both[0].set(ylabel="p50 ms", yscale="log", title="Filtered search: time")
    both[0].set_xticks(places, [""] * len(names))
    both[1].set(ylabel="recall@20", ylim=(-0.03, 1.03), title="Filtered search: recall")
    both[1].set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
    _legend(both[0])


def _points(axes: Any, number: int, label: str, names: Sequence[str], values: Sequence[float]) -> None:
    """Join the points of the prices, which are steps of one filter, and none of the others."""
    steps = sum(name.startswith("price") for name in names)
    line = _line(number)
    axes.plot(range(steps), values[:steps], label=label, **line)
    axes.plot(range(steps, len(names)), values[steps:], **{**line, "linestyle": "none"})


def _growth(parts: Sequence[Any], rows: Sequence["Measured"], fits: dict[str, Power], until: int) -> None:
    timed = [name for name in fits if name.endswith(" s")]
    sizes = [name for name in fits if name.endswith("MiB")]
    searches = [name for name in fits if name.endswith("ms")]
    panels = ((timed, "seconds", "Storing and building"), (sizes, "MiB", "Size"), (searches, "p50 ms", "Search"))
    for axes, (names, unit, title) in zip(parts, panels, strict=True):
        for number, name in enumerate(names):
            line = _line(number)
            numbers = [row.vectors for row in rows]
            fit = fits[name]
            label = name.rpartition(" ")[0].rstrip(",") + (f"  (n^{fit.exponent:.2f})" if fit.holds else "")
            axes.plot(numbers, [row.figures[name] for row in rows], label=label, **{**line, "linestyle": "none"})
            ends = [numbers[0], until] if fit.holds else []
            axes.plot(ends, [fit.at(end) for end in ends], color=line["color"], linestyle="--", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel="vectors", ylabel=unit, title=title)
        _legend(axes)


def _line(number: int) -> dict[str, Any]:
    place = number % len(_COLOURS)
    return {
        "color": _COLOURS[place],
        "marker": _MARKS[place],
        "linestyle": "-",
        "linewidth": 2.2 if number == 0 else 1.2,
        "markersize": 5,
        "zorder": 3 if number == 0 else 2,
    }


def _legend(axes: Any) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
