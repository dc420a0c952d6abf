"""A contact sheet of the catalogue: `python -m app.demo.sheet docs/images/catalogue.png` draws the one of the docs."""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from app.demo.catalogue import Product, catalogue
from app.demo.palette import WHITE


def contact_sheet(products: Sequence[Product], columns: int = 14, tile: int = 96, gap: int = 2) -> Image.Image:
    """Return the products' pictures in rows, drawn at twice the size and reduced."""
    rows = -(-len(products) // columns)
    sheet = Image.new("RGB", (columns * (tile + gap) - gap, rows * (tile + gap) - gap), WHITE)
    for index, product in enumerate(products):
        row, column = divmod(index, columns)
        sheet.paste(product.draw(2 * tile).reduce(2), (column * (tile + gap), row * (tile + gap)))
    return sheet


def write_sheet(path: Path, count: int = 70) -> None:
    """Write the contact sheet of the first products, in 256 colours so that it stays below 300 kB."""
    firsts = [product for product in catalogue(2 * count) if product.attributes["view"] == "front" and not product.copy]
    sheet = contact_sheet(firsts[:count])
    path.parent.mkdir(parents=True, exist_ok=True)
    palette = sheet.quantize(256, kmeans=4)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


if __name__ == "__main__":
    write_sheet(Path(sys.argv[1]))
