"""The sample catalogue: 400 photographs of clothes in one archive, with the records that describe them.

The photos are of the public "clothing dataset (small)", released under CC0 1.0; the licence is in the archive. Category
and colours are what the photos show; brands, prices, stock and the like are made up. Some products have two or three
pictures (one `product_id`), and some pictures are offered again by another seller, a little changed, as near duplicates
are found in real shops.
"""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.domain.records import Json

ARCHIVE = Path(__file__).with_name("catalogue.zip")
RECORDS = "catalogue.jsonl"
LICENCE = "LICENSE"


@dataclass(frozen=True, slots=True)
class Product:
    """One record of the catalogue: its `_id`, its attributes, and its picture as the bytes of a WebP file."""

    id: str
    attributes: dict[str, Json]
    data: bytes

    def picture(self, side: int = 256) -> Image.Image:
        """Return the picture in RGB, its longest side at most so many pixels."""
        with Image.open(io.BytesIO(self.data)) as opened:
            made = opened.convert("RGB")
        made.thumbnail((side, side), Image.Resampling.LANCZOS)
        return made


def catalogue(count: int | None = None) -> list[Product]:
    """Return the first `count` products, all of them for None; any beginning is a cross-section of the whole."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        lines = archive.read(RECORDS).decode().splitlines()[:count]
        return [_product(archive, json.loads(line)) for line in lines]


def _product(archive: zipfile.ZipFile, record: dict[str, Json]) -> Product:
    file = str(record.pop("_file"))
    return Product(str(record.pop("_id")), record, archive.read(file))


def unpack(folder: Path, count: int | None = None) -> Path:
    """Write the pictures of the first `count` products into a folder; return the file of their records beside them.

    The records are one JSON object a line, as `lookalike load` takes them. They are written last, so that a folder
    with them is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(ARCHIVE) as archive:
        lines = archive.read(RECORDS).decode().splitlines(keepends=True)[:count]
        for name in (LICENCE, *(json.loads(line)["_file"] for line in lines)):
            archive.extract(name, folder)
    unfinished = folder / f"{RECORDS}.part"
    unfinished.write_text("".join(lines), encoding="utf-8")
    return unfinished.replace(folder / RECORDS)
