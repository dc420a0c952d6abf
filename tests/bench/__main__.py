"""`make bench`, or `python -m tests.bench`: the tables, on a database that is there."""

import sys
from pathlib import Path
from wsgiref.types import WSGIApplication

import click

from app import create_app
from app.cli.common import opened
from app.config import Settings
from app.db.versions import check_versions
from tests.bench.report import Table, machine, summary
from tests.bench.setup import Setup, photos
from tests.bench.suite import TABLES, run

_NEARBY = Path(__file__).resolve().parents[3] / "shared" / "data" / "clothing"


@click.command()
@click.option(
    "--photos",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="LOOKALIKE_CLOTHING_DIR",
    help="Photos, one sub-folder a class. Without it: ../shared/data/clothing, or the sample catalogue.",
)
@click.option("--vectors", type=click.IntRange(min=1000), default=50_000, show_default=True, help="Crops to search in.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    help="Length of one round of requests.",
)
@click.option(
    "--only", type=click.Choice(TABLES), multiple=True, help="A table to measure; may be repeated. None: all."
)
@click.option(
    "--pictures",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Pictures through each model while its memory is watched (100000 for a long look).",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write the tables to, too.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to draw the plots of `peers` and `growth` to, as SVG (with the extra `peers`).",
)
def bench(
    folder: Path | None,
    vectors: int,
    seconds: float,
    only: tuple[str, ...],
    pictures: int,
    output: Path | None,
    plots: Path | None,
) -> None:
    """Measure loading, quality, recall and serving, beside the bare model and the bare SQL.

    Without DATABASE_URL an embedded database of its own is used, in LOOKALIKE_HOME/bench. Collections named bench-… are
    made and dropped again, but for those of `console` and `map`. Embeddings are kept for the next run.
    """
    own = Settings()
    home = own.home.expanduser() / "bench"
    home.mkdir(parents=True, exist_ok=True)
    # What is measured is computed each time, not remembered.
    settings = own.model_copy(update={"home": home, "vector_cache_bytes": 0})
    if folder is None and _NEARBY.is_dir():
        folder = _NEARBY
    with opened(settings) as context:
        url = context.db.url
        environment = {
            "DATABASE_URL": url,
            "LOOKALIKE_HOME": str(home),
            "LOOKALIKE_LOG_LEVEL": "warning",
            "LOOKALIKE_VECTOR_CACHE_BYTES": "0",
        }
        setup = Setup(context, photos(folder, home, _tell), home, environment, vectors, seconds, _tell, plots)
        tables: list[Table] = []

        def application() -> WSGIApplication:
            return create_app(settings, url)

        print_to = _Output(output)
        with context.db.session() as connection:
            print_to.line(f"# Lookalike's benchmarks\n\n{machine(check_versions(connection))}\n")
        for table in run(setup, only or TABLES, application, pictures):
            tables.append(table)
            print_to.line(table.markdown() + "\n")
        print_to.line(summary(tables).markdown())


def _tell(line: str) -> None:
    click.echo(line, err=True)


class _Output:
    """stdout, and a file where one is named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.write_text("", encoding="utf-8")

    def line(self, text: str) -> None:
        click.echo(text)
        sys.stdout.flush()
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(text + "\n")


if __name__ == "__main__":
    bench()
