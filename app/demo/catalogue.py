"""The catalogue: a list of products, each of which can be drawn, the same on every machine.

Products are dealt in turn from all kinds, so that any beginning of the catalogue is a cross-section of it, and a
longer catalogue begins with the shorter one. Some products come in a second picture (the same `product_id`), and a
few pictures are offered again by another seller, a little changed, as near duplicates are found in real shops.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from PIL import Image

from app.demo.canvas import Canvas, Pose
from app.demo.chance import Span, dice
from app.demo.copies import COPIES, copied
from app.demo.facts import describe
from app.demo.kind import Kind
from app.demo.kinds import KINDS
from app.demo.look import Look
from app.demo.palette import ACCENTS
from app.demo.studio import BACKDROPS, photograph
from app.domain.records import Json

# Every so many pictures there is a second view of a product, and a copy by another seller.
_VIEW_EVERY = 9
_COPY_EVERY = 33
_RESELLER = "Bargain Barn"
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Product:
    """One record of the catalogue: what is known of it, and how to draw it."""

    id: str
    attributes: dict[str, Json]
    kind: Kind
    look: Look
    copy: str | None = None

    def draw(self, size: int = 384) -> Image.Image:
        """Return the product's picture, a square of RGB."""
        canvas = Canvas(size, self.look.pose)
        self.kind.draw(canvas, self.look)
        picture = photograph(canvas, self.look.backdrop, self.kind.ground_of(self.look))
        return copied(picture, self.copy) if self.copy else picture


def catalogue(count: int = 400, seed: int = 7) -> list[Product]:
    """Return the first `count` products."""
    products: list[Product] = []
    unseen: dict[str, list[Product]] = {"view": [], "copy": []}
    made = 0
    for position in range(count):
        chance = dice(seed, position)
        if position % _COPY_EVERY == _COPY_EVERY - 1:
            products.append(_copy(_take(unseen["copy"], chance), chance))
        elif position % _VIEW_EVERY == _VIEW_EVERY - 1:
            products.append(_second_view(_take(unseen["view"], chance), chance))
        else:
            product = _new(made, chance)
            made += 1
            products.append(product)
            unseen["view"].append(product)
            unseen["copy"].append(product)
    return products


def _take(products: list[Product], chance: Random) -> Product:
    return products.pop(chance.randrange(len(products)))


def _new(number: int, chance: Random) -> Product:
    """Return a product of the kind whose turn it is."""
    kind = KINDS[number % len(KINDS)]
    colours = kind.colours.split()
    colour = chance.choice(colours + colours[: len(colours) // 2])
    look = Look(
        seed=f"{kind.name}{number}",
        shape={
            respect: chance.uniform(*options) if isinstance(options, Span) else chance.choice(options.split())
            for respect, options in kind.shape.items()
        },
        colour=colour,
        accent=chance.choice((ACCENTS[colour][0], *ACCENTS[colour])),
        pattern=chance.choice(kind.patterns.split()),
        backdrop=chance.choice(("paper", *BACKDROPS)),
        pose=Pose(
            angle=chance.uniform(-1.5, 1.5) if kind.ground is None else 0,
            scale=kind.zoom * chance.uniform(0.95, 1.02),
            shift=(chance.uniform(-1, 1), chance.uniform(-0.8, 0.8)),
            narrow=chance.uniform(0.94, 1.04),
            mirrored=chance.random() < 0.15,
        ),
    )
    facts = describe(kind, look, chance, f"P{1000 + number}")
    return Product(f"{kind.name}-{number // len(KINDS) + 1:03}", facts, kind, look)


def _second_view(first: Product, chance: Random) -> Product:
    """Return another picture of a product: from the other side, a little aslant, before another backdrop."""
    pose = first.look.pose
    look = replace(
        first.look,
        backdrop=chance.choice([name for name in BACKDROPS if name != first.look.backdrop]),
        pose=replace(
            pose,
            angle=chance.choice((-1, 1)) * chance.uniform(4, 8) if first.kind.ground is None else 0,
            scale=pose.scale * chance.uniform(0.86, 0.93),
            narrow=pose.narrow * chance.uniform(0.88, 0.95),
            mirrored=not pose.mirrored,
        ),
    )
    return replace(first, id=f"{first.id}-side", attributes=first.attributes | {"view": "side"}, look=look)


def _copy(original: Product, chance: Random) -> Product:
    """Return a product as another seller offers it: his own number and price, and the picture lifted."""
    price = original.attributes["price"]
    changes: dict[str, Json] = {
        "seller": _RESELLER,
        "price": round(float(str(price)) * chance.uniform(0.7, 0.9), 2),
        "product_id": f"{original.attributes['product_id']}-R",
    }
    facts = original.attributes | changes
    return replace(original, id=f"{original.id}-resold", attributes=facts, copy=chance.choice(list(COPIES)))


def write_folder(
    folder: Path,
    count: int = 400,
    seed: int = 7,
    *,
    size: int = 384,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Draw the catalogue into a folder; return the file of its records, one JSON object a line, beside the pictures.

    The lines are written last, so that a folder with them is complete. `progress` is called with 1 for each picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for product in catalogue(count, seed):
        name = f"{product.id}.jpg"
        product.draw(size).save(folder / name, quality=_JPEG_QUALITY)
        lines.append(json.dumps({"_id": product.id, "_file": name} | product.attributes, ensure_ascii=False))
        progress(1)
    unfinished = folder / "catalogue.jsonl.part"
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return unfinished.replace(folder / "catalogue.jsonl")
