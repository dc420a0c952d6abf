"""Make the archive of the sample catalogue from the CC0 clothing photos: `python -m tests.support.make_demo PHOTOS`.

PHOTOS is the folder of the public "clothing dataset (small)": a folder for each class, and its LICENSE. The same photos
give the same archive, byte for byte, with the pinned Pillow. What the photos do not tell is made by chance from a seed.
"""

import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont, ImageOps

from app.demo.catalogue import ARCHIVE, LICENCE, RECORDS
from app.domain.records import Json
from app.embedding.tags.colour_names import dominant_colours

SEED = 7
CLASSES = ("dress", "shoes", "t-shirt", "hat", "pants", "outwear", "skirt", "longsleeve", "shorts", "shirt")
A_CLASS = 36  # products
_SIDE = 256  # the longest, in pixels
_QUALITY = 80
_RESELLER = "Bargain Barn"
_SELLERS = ("Lookalike Store", "Corner & Co", "Marktplatz 7", "Second Street")
_BRANDS = {
    "clothing": ("Norrvane", "Harrow & Pine", "Maison Olivette", "Tidemark", "Petra Valen", "Oddny", "Atelier Brun"),
    "shoes": ("Strydlund", "Cobble Row", "Petra Valen", "Norrvane", "Ferrante Uno"),
    "accessories": ("Tidemark", "Norrvane", "Ostrel", "Maison Olivette"),
}
_DEPARTMENTS = {"shoes": "shoes", "hat": "accessories"}
_PRICES = {"dress": (30, 180), "shoes": (35, 160), "hat": (12, 60), "outwear": (60, 260), "pants": (30, 120),
           "skirt": (25, 95), "longsleeve": (18, 80),
           "shorts": (18, 70), "shirt": (25, 90), "t-shirt": (9, 45)}  # fmt: skip
_SEASONS = {"hat": "winter summer", "outwear": "winter autumn", "shorts": "summer", "t-shirt": "summer spring",
            "longsleeve": "autumn winter spring"}  # fmt: skip
_NOUNS = {"shoes": "pair of shoes", "pants": "pair of pants", "outwear": "jacket", "shorts": "pair of shorts",
          "longsleeve": "long-sleeved top"}  # fmt: skip
_SIZES = {"shoes": ("37", "38", "39", "40", "41", "42", "43"), "hat": ("S/M", "L/XL")}
_LETTERS = ("XS", "S", "M", "L", "XL")
_MOODS = ("casual", "classic", "new in", "everyday", "gift idea", "sustainable", "limited")


def _inside(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = picture.size
    return picture.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """Return the picture without a share of each side."""
    return _inside(picture, share, share, 1 - share, 1 - share)


def _resaved(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=75)
    return Image.open(stream).convert("RGB")


def _banner(picture: Image.Image) -> Image.Image:
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    width, height = made.size
    pen.rectangle((0, height * 23 // 24, width, height), fill="#c01820")
    pen.text(
        (width // 2, height * 47 // 48), "SALE", fill="white", font=ImageFont.load_default(height // 28), anchor="mm"
    )
    return made


Edit = Callable[[Image.Image], Image.Image]
COPIES: dict[str, Edit] = {
    "re-saved": _resaved,
    "resized": lambda picture: picture.resize(
        (picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS
    ),
    "mirrored": ImageOps.mirror,
    "cropped": lambda picture: cropped(picture, 0.015),
    "with a banner": _banner,
}
VIEWS: dict[str, Edit] = {
    "detail": lambda picture: _inside(picture, 0.22, 0.22, 0.78, 0.78),
    "hem": lambda picture: _inside(picture, 0.1, 0.5, 0.9, 1.0),
}
# A chain of copies: each is near the one before, the last is too far from the first.
CHAIN: dict[str, Edit] = {
    "link-2": lambda picture: cropped(picture, 0.015),
    "link-3": lambda picture: cropped(picture, 0.03),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A record before its picture is made: the photo, what is done with it, and what is known of it."""

    id: str
    photo: Path
    edit: Edit | None = None
    facts: dict[str, Json] = field(default_factory=dict)


def chosen(photos: Path) -> list[tuple[str, Path]]:
    """Return (class, photo) of each product, the classes in turn, so that any beginning is a cross-section."""
    chance = Random(SEED)
    by_class = {name: chance.sample(sorted((photos / name).glob("*.jpg")), A_CLASS) for name in CLASSES}
    return [(name, by_class[name][turn]) for turn in range(A_CLASS) for name in CLASSES]


def planned(photos: Path) -> Iterator[Planned]:
    """Yield the records in their order: a product, then what else there is of it."""
    products = chosen(photos)
    chance = Random(SEED)
    numbers = chance.sample(range(4, len(products)), 16 + len(COPIES) * 3 + 1)
    viewed, copied, chained = numbers[:16], numbers[16:-1], numbers[-1]
    for number, (category, photo) in enumerate(products):
        own = f"{category}-{number // len(CLASSES) + 1:03}"
        facts = _facts(Random(f"{SEED} {number}"), category, f"P{1000 + number}")
        yield Planned(own, photo, None, facts)
        if number in viewed:
            for view in list(VIEWS)[: 2 if viewed.index(number) < 7 else 1]:
                yield Planned(f"{own}-{view}", photo, VIEWS[view], facts | {"view": view})
        if number in copied:
            edit = list(COPIES.values())[(copied.index(number) - 1) % len(COPIES)]
            yield Planned(f"{own}-resold", photo, edit, _resold(facts, 0.8))
        if number == chained:
            for place, (link, edit) in enumerate(CHAIN.items()):
                yield Planned(f"{own}-{link}", photo, edit, _resold(facts, 0.9 - place / 10))


def _facts(chance: Random, category: str, product_id: str) -> dict[str, Json]:
    department = _DEPARTMENTS.get(category, "clothing")
    low, high = _PRICES[category]
    sizes = _SIZES.get(category, _LETTERS)
    stock = max(0, round(chance.gauss(20, 16)))
    season = chance.choice(_SEASONS.get(category, "spring summer autumn winter").split())
    return {
        "category": category,
        "department": department,
        "brand": _skewed(chance, _BRANDS[department]),
        "seller": _skewed(chance, _SELLERS),
        "price": int(low + (high - low) * chance.random() ** 2) + chance.choice((0.99, 0.95, 0.5, 0.0)),
        "currency": chance.choice(("EUR",) * 8 + ("USD", "GBP")),
        "season": season,
        "sizes": list(sizes[chance.randrange(len(sizes) // 2) : chance.randrange(len(sizes) // 2, len(sizes)) + 1]),
        "tags": [category, season, chance.choice(_MOODS)],
        "in_stock": stock > 0,
        "stock": stock,
        "rating": round(min(5.0, max(1.0, chance.gauss(4.1, 0.6))), 1),
        "released": (date(2022, 3, 1) + timedelta(days=chance.randrange(1300))).isoformat(),
        "product_id": product_id,
        "view": "front",
    }


def _skewed(chance: Random, options: tuple[str, ...]) -> str:
    """Return one of the options, the first by far the likeliest, as brands and sellers are (Zipf)."""
    return chance.choices(options, cum_weights=list(accumulate(1 / rank for rank in range(1, len(options) + 1))))[0]


def _resold(facts: dict[str, Json], share: float) -> dict[str, Json]:
    """Return a product's facts as another seller offers it: a number and a price of his own, the picture lifted."""
    price = round(float(str(facts["price"])) * share, 2)
    return facts | {"seller": _RESELLER, "price": price, "product_id": f"{facts['product_id']}-R"}


def made(record: Planned) -> tuple[dict[str, Json], bytes]:
    """Return the line of a record and its picture as WebP."""
    with Image.open(record.photo) as opened:
        photo = ImageOps.exif_transpose(opened).convert("RGB")
    photo.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    middle = _inside(photo, 0.3, 0.25, 0.7, 0.75)  # the product without most of the floor that it lies on
    colours = [colour.name for colour in dominant_colours(middle, 0.15)][:3]
    picture = record.edit(photo) if record.edit else photo
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=_QUALITY, method=6)
    noun = _NOUNS.get(str(record.facts["category"]), str(record.facts["category"]))
    name = f"{colours[0].capitalize()} {noun}"
    own = dict(record.facts)
    tags = [*own["tags"], *colours] if isinstance(own["tags"], list) else []
    named: dict[str, Json] = {"_id": record.id, "_file": f"{record.id}.webp", "name": name}
    return named | own | {"color": colours[0], "colors": list(colours), "tags": list(tags)}, stream.getvalue()


def write(photos: Path, archive: Path = ARCHIVE) -> None:
    """Write the archive: the licence, the lines, the pictures."""
    pairs = [made(record) for record in planned(photos)]
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line, _ in pairs)
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in (
            (LICENCE, (photos / "LICENSE").read_bytes()),
            (RECORDS, lines.encode()),
            *((str(line["_file"]), data) for line, data in pairs),
        ):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".webp") else zipfile.ZIP_DEFLATED
            opened.writestr(entry, data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
