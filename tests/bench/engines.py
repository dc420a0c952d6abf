"""Ours beside other engines, on the same vectors and queries in one run."""

from app.domain.services import SERVICES
from tests.bench import plots
from tests.bench.peers.compare import compare
from tests.bench.peers.tables import tables
from tests.bench.report import Table
from tests.bench.setup import Setup
from tests.bench.vectors import crops


def measure(setup: Setup) -> list[Table]:
    """Return the tables of all engines; a plot of each is drawn where a folder for them is named."""
    made = crops(setup, SERVICES["photo"].model)
    results = compare(setup, made)
    found = tables(results, len(made.stored))
    if setup.plots is not None:
        found[-1].notes.append(plots.told(setup.plots, lambda folder: plots.peers(folder, results)))
    return found
