"""`lookalike model calibrate MODEL --photos DIR`: what 5.0 keeps together and apart."""

from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from app.cli.common import json_option, print_json
from app.cli.progress import progress_bar
from app.cli.saying import IntRange, printable
from app.config import Settings
from app.embedding.models import registry
from app.embedding.models.base import ModelFacts
from app.services.calibration import Calibration, Embedded
from app.services.calibration import calibrate as run
from app.services.calibration import embed as embed_all
from app.services.folders import folder_items


@click.command()
@click.argument("name", metavar="MODEL")
@click.option(
    "--photos",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Photos of different things, 20 at least; sub-folders are looked into.",
)
@click.option("--sample", type=IntRange(min=20), help="Number of photos to use, evenly spread; without it, all.")
@json_option
def calibrate(name: str, folder: Path, sample: int | None, *, as_json: bool) -> None:
    """Measure which edits of a picture MODEL finds again within 5.0, and propose a distance scale.

    MODEL is a built-in model, or one of the Hugging Face hub by id or folder. Each photo is edited in every way of a
    table (saved again, scaled, cropped, mirrored …). Recall: the share of the photos whose edited self is within 5.0.
    Precision: of all pairs within 5.0 among the photos and their edited selves, the share that are a photo and its own
    edited self. The scale is only proposed; a collection keeps the one that it was created with.
    """
    settings = Settings()
    items = folder_items(folder)
    if sample is not None and sample < len(items):
        items = [items[number * len(items) // sample] for number in range(sample)]
    embedder = registry.load(name, settings.models, settings.model_threads)
    with progress_bar() as progress:
        task = progress.add_task(f"editing and embedding ({name})", total=len(items))
        embedded = embed_all(embedder, items, settings.images, progress=lambda done: progress.advance(task, done))
    found = run(embedded, embedder.facts.distance_scale)
    if as_json:
        print_json(_plain(embedder.facts, embedded, found))
    else:
        _tell(embedder.facts, embedded, found)


def _plain(facts: ModelFacts, embedded: Embedded, found: Calibration) -> dict[str, object]:
    return {
        "model": facts.name,
        "revision": facts.revision,
        "photos": found.photos,
        "same_bytes": embedded.same_bytes,
        "unreadable": [{"_id": record_id, "reason": reason} for record_id, reason in embedded.unreadable],
        "distance_scale": {"current": found.current_scale, "proposed": found.proposed_scale},
        "edits": [
            {
                "edit": one.name,
                "light": one.light,
                "current": {"precision": one.current.precision, "recall": one.current.recall},
                "proposed": {"precision": one.proposed.precision, "recall": one.proposed.recall},
                "cosine_distance": {"median": one.median, "p95": one.p95},
            }
            for one in found.edits
        ],
        "nearest_look_alike": {str(share): distance for share, distance in found.look_alikes.items()},
    }


def _tell(facts: ModelFacts, embedded: Embedded, found: Calibration) -> None:
    stderr = Console(stderr=True, highlight=False)
    for record_id, reason in embedded.unreadable[:20]:
        stderr.print(printable(f"  {record_id}: {reason}"), markup=False)
    rows = [
        (
            one.name if one.light else f"{one.name} *",
            f"{one.current.recall:.3f}",
            f"{one.current.precision:.3f}",
            f"{one.proposed.recall:.3f}",
            f"{one.proposed.precision:.3f}",
            f"{one.median:.4f}",
            f"{one.p95:.4f}",
        )
        for one in found.edits
    ]
    header = ("edit", "recall now", "precision", "recall proposed", "precision", "cosine median", "95 %")
    spread = ", ".join(f"{share:.1%}: {distance:.4f}" for share, distance in found.look_alikes.items())
    notes = [
        (
            f"Scale now {found.current_scale:.4g} (5.0 is a cosine distance of {5 / found.current_scale:.4f});"
            f" proposed {found.proposed_scale:.4g} ({5 / found.proposed_scale:.4f})."
        ),
        (
            f"{found.photos} different photos; {embedded.same_bytes} more files had the bytes of another and"
            f" {len(embedded.unreadable)} could not be read."
        ),
        f"Cosine distance to the nearest different photo, below it this share of the photos: {spread}.",
        "* moves or cuts what is seen; the proposal does not look at it.",
    ]
    table = Table(box=box.MARKDOWN)
    for name in header:
        table.add_column(name, justify="left" if name == "edit" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    wide = Console(width=200, highlight=False)
    with wide.capture() as written:
        wide.print(table)
    lines = "\n".join(line.rstrip() for line in written.get().splitlines() if line.strip())
    told = "\n".join(f"- {note}" for note in notes)
    click.echo(f"## {facts.name} ({facts.revision}) at 5.0\n\n{lines}\n\n{told}")
