"""Pictures of what each edit does: `python -m tests.bench.edit_sheet docs/images/edits` draws those of the docs.

A sheet an edit: products of the demo catalogue above, edited below, and under each the distance of the two by the
default model and by `phash`, green within 5.0, red beyond.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.demo.catalogue import catalogue
from app.domain.options import ModelOptions
from app.embedding.models import registry
from app.embedding.models.base import Embedder
from app.embedding.pictures.edits import EDITS, Row
from app.services.search import NEAR_DUPLICATE_RADIUS

MODELS = ("efficientnet-lite0", "phash")
# Classes that differ in shape and colour.
SHOWN = ("dress-001", "shoes-001", "hat-001", "outwear-001", "shorts-001")
_TILE, _GAP, _LINE = 84, 4, 13


def file_name(row: Row) -> str:
    """Return the name of an edit's sheet."""
    return re.sub(r"[^a-z0-9]+", "-", row.name.lower().replace("°", "")).strip("-") + ".webp"


def sheet(pictures: Sequence[Image.Image], row: Row, embedders: Sequence[Embedder]) -> Image.Image:
    """Return the sheet of one edit."""
    height = 2 * (_TILE + _GAP) + _LINE * len(embedders)
    made = Image.new("RGB", (len(pictures) * (_TILE + _GAP) - _GAP, height), (232, 232, 232))
    pen = ImageDraw.Draw(made)
    font = ImageFont.load_default(10)
    for place, picture in enumerate(pictures):
        left = place * (_TILE + _GAP)
        edited = row.edit(picture)
        for top, one in ((0, picture), (_TILE + _GAP, edited)):
            # One scale for both, so that a border or a crop is seen; what is scaled fills its tile.
            small = one.resize((_TILE, _TILE), Image.Resampling.LANCZOS)
            made.paste(small, (left, top))
        for line, embedder in enumerate(embedders):
            distance = _distance(embedder, picture, edited)
            colour = (0, 110, 40) if distance <= NEAR_DUPLICATE_RADIUS else (190, 20, 20)
            top = 2 * (_TILE + _GAP) + line * _LINE - 2
            pen.text((left, top), f"{embedder.facts.name[:12]} {distance:.1f}", fill=colour, font=font)
    return made


def _distance(embedder: Embedder, picture: Image.Image, edited: Image.Image) -> float:
    one, other = embedder.embed([embedder.prepare(picture), embedder.prepare(edited)]).astype(np.float64)
    return max(0.0, embedder.facts.distance_scale * (1.0 - float(one @ other)))


def write(folder: Path) -> None:
    """Write the sheets of all edits into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [product.picture() for product in catalogue(40) if product.id in SHOWN]
    embedders = [registry.load(name, ModelOptions()) for name in MODELS]
    for row in EDITS:
        sheet(pictures, row, embedders).save(folder / file_name(row), quality=72, method=6)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
