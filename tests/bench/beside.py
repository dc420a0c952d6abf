"""Ours beside other engines, on the same vectors and queries in one run."""

from app.bench import plots
from app.bench.peers.compare import compare
from app.bench.peers.tables import tables
from app.bench.report import Table
from app.bench.setup import Setup
from app.bench.vectors import crops
from app.embedding import registry


def measure(setup: Setup) -> list[Table]:
    """Return the tables of all engines; a plot of each is drawn where a folder for them is named."""
    made = crops(setup, registry.default_model("photo"))
    results = compare(setup, made)
    found = tables(results, len(made.stored))
    if setup.plots is not None:
        found[-1].notes.append(plots.told(setup.plots, lambda folder: plots.peers(folder, results)))
    return found
