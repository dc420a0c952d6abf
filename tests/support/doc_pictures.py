"""Make the pictures of README and docs from the sample catalogue: `python -m tests.support.doc_pictures`."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from app.demo.catalogue import Product, catalogue
from app.domain.options import ModelOptions
from app.domain.services import SERVICES
from app.embedding.models import registry

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_QUERIES = ("t-shirt-001", "hat-008", "shoes-006", "pants-001")
_NEIGHBOURS, _SIDE, _GAP = 8, 132, 8


def search(products: list[Product]) -> Image.Image:
    """Return a row for each query: the product itself, framed, then its nearest neighbours by the default model."""
    embedder = registry.load(SERVICES["products"].model, ModelOptions(), 2)
    vectors = embedder.embed([embedder.prepare(product.picture()) for product in products])
    step = _SIDE + _GAP
    page = Image.new("RGB", (step * (_NEIGHBOURS + 1) + 3 * _GAP, step * len(_QUERIES) + _GAP), "white")
    pen = ImageDraw.Draw(page)
    for row, query in enumerate(next(n for n, one in enumerate(products) if one.id == own) for own in _QUERIES):
        order = np.argsort(-(vectors @ vectors[query]), kind="stable")
        for column, number in enumerate([query, *(int(n) for n in order if n != query)][: _NEIGHBOURS + 1]):
            x, y = _GAP + column * step + (2 * _GAP if column else 0), _GAP + row * step
            page.paste(ImageOps.fit(products[number].picture(), (_SIDE, _SIDE)), (x, y))
            if column == 0:
                pen.rectangle((x - 2, y - 2, x + _SIDE + 1, y + _SIDE + 1), outline=(36, 41, 47), width=2)
    return page


def contact_sheet(products: list[Product], columns: int = 14, tile: int = 96, gap: int = 2) -> Image.Image:
    """Return the products' pictures in rows."""
    rows = -(-len(products) // columns)
    sheet = Image.new("RGB", (columns * (tile + gap) - gap, rows * (tile + gap) - gap), "white")
    for index, product in enumerate(products):
        row, column = divmod(index, columns)
        sheet.paste(ImageOps.fit(product.picture(), (tile, tile)), (column * (tile + gap), row * (tile + gap)))
    return sheet


if __name__ == "__main__":
    search(catalogue()).save(IMAGES / "search.webp", quality=80, method=6)
    contact_sheet(catalogue(70)).save(IMAGES / "catalogue.webp", quality=80, method=6)
