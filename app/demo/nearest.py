"""The README's picture: products of the catalogue, each with its nearest neighbours, as the default model sees them.

python -m app.demo.nearest docs/images/search.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from app.demo.catalogue import Product, catalogue
from app.domain.options import ModelOptions
from app.embedding import registry

_SIDE = 132
_GAP = 8
_QUERIES = ("sneaker", "dress", "teapot", "armchair")
_NEIGHBOURS = 8
_INK = (36, 41, 47)


def sheet(products: list[Product], queries: list[int], neighbours: int = _NEIGHBOURS) -> Image.Image:
    """Return a row for each query: the product itself, framed, then its nearest neighbours."""
    embedder = registry.load(registry.default_model("products"), ModelOptions(), 2)
    pictures = [product.draw(256) for product in products]
    vectors = embedder.embed([embedder.prepare(picture) for picture in pictures])
    step = _SIDE + _GAP
    page = Image.new("RGB", (step * (neighbours + 1) + 3 * _GAP, step * len(queries) + _GAP), "white")
    pen = ImageDraw.Draw(page)
    for row, query in enumerate(queries):
        order = np.argsort(-(vectors @ vectors[query]), kind="stable")
        seen = [query, *[int(n) for n in order if n != query]][: neighbours + 1]
        for column, number in enumerate(seen):
            x = _GAP + column * step + (2 * _GAP if column else 0)
            y = _GAP + row * step
            page.paste(pictures[number].resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), (x, y))
            if column == 0:
                pen.rectangle((x - 2, y - 2, x + _SIDE + 1, y + _SIDE + 1), outline=_INK, width=2)
    return page


def main(path: Path) -> None:
    """Write the picture."""
    products = catalogue()
    kinds = [str(product.attributes["category"]) for product in products]
    queries = [next(n for n, kind in enumerate(kinds) if wanted in kind) for wanted in _QUERIES]
    made = sheet(products, queries).quantize(128, dither=Image.Dither.NONE)
    made.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
