"""What a shop knows of a product besides its picture: brand, price, sizes, tags, stock."""

from datetime import date, timedelta
from itertools import accumulate
from random import Random
from types import MappingProxyType

from app.demo.chance import Span
from app.demo.kind import Kind
from app.demo.look import Look
from app.domain.records import Json

BRANDS = MappingProxyType(
    {
        "clothing": (
            "Norrvane",
            "Harrow & Pine",
            "Maison Olivette",
            "Tidemark",
            "Petra Valen",
            "Oddny",
            "Kosmo Kid",
            "Atelier Brun",
        ),
        "shoes": ("Strydlund", "Cobble Row", "Petra Valen", "Norrvane", "Ferrante Uno", "Tidemark"),
        "bags": ("Cobble Row", "Maison Olivette", "Harrow & Pine", "Ferrante Uno", "Oddny"),
        "accessories": ("Tidemark", "Norrvane", "Ostrel", "Maison Olivette", "Kosmo Kid"),
        "home": ("Büro Linde", "Hearthside", "Studio Ostrel", "Lumenor", "Casa Brisa", "Oddny Hem"),
    }
)
SIZES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "letters": ("XS", "S", "M", "L", "XL", "XXL"),
        "waists": ("28", "30", "32", "34", "36", "38"),
        "shoes": ("36", "37", "38", "39", "40", "41", "42", "43", "44", "45"),
        "hats": ("S/M", "L/XL"),
        "cushions": ("40x40", "50x50", "60x40"),
        "one": ("one size",),
    }
)
# Width, height and depth in centimetres of what stands in a home.
MEASURES = MappingProxyType(
    {
        "chair": (Span(42, 52), Span(76, 92), Span(44, 55)),
        "armchair": (Span(72, 88), Span(74, 92), Span(72, 86)),
        "sofa": (Span(150, 240), Span(72, 90), Span(82, 98)),
        "lamp": (Span(22, 45), Span(38, 165), Span(22, 45)),
        "mug": (Span(8, 12), Span(8, 12), Span(8, 9)),
        "vase": (Span(10, 26), Span(18, 48), Span(10, 26)),
        "planter": (Span(12, 34), Span(12, 36), Span(12, 34)),
        "teapot": (Span(18, 25), Span(13, 20), Span(12, 15)),
        "cushion": (Span(40, 60), Span(40, 50), Span(12, 16)),
    }
)
# Words for a variant, where it has one that a customer would use.
STYLES = MappingProxyType(
    {
        ("neck", "v"): "V-neck",
        ("neck", "hood"): "hooded",
        ("neck", "roll"): "roll-neck",
        ("sleeve", "long"): "long-sleeved",
        ("sleeve", "none"): "sleeveless",
        ("sleeve", "puff"): "puff-sleeved",
        ("sleeve", "straps"): "strappy",
        ("skirt", "fitted"): "fitted",
        ("skirt", "full"): "full-skirted",
        ("cut", "pleated"): "pleated",
        ("cut", "pencil"): "pencil",
        ("cut", "coat"): "tailored",
        ("cut", "bomber"): "bomber",
        ("leg", "slim"): "slim",
        ("leg", "wide"): "wide-leg",
        ("make", "jeans"): "denim",
        ("make", "chelsea"): "Chelsea",
        ("make", "laced"): "laced",
        ("make", "wellington"): "rubber",
        ("make", "heeled"): "heeled",
        ("make", "block"): "block-heel",
        ("strap", "ankle"): "ankle-strap",
        ("height", "high"): "high-top",
        ("panels", "two-tone"): "two-tone",
        ("form", "fedora"): "felt",
        ("form", "sun"): "straw",
        ("form", "bucket"): "bucket",
        ("form", "satchel"): "satchel",
        ("form", "round"): "round",
        ("form", "long"): "long",
        ("form", "table"): "table",
        ("form", "floor"): "floor",
        ("form", "desk"): "desk",
        ("form", "pendant"): "pendant",
        ("form", "aviator"): "aviator",
        ("form", "cat"): "cat-eye",
        ("glass", "clear"): "reading",
        ("top", "bobble"): "bobble",
        ("back", "stool"): "low",
        ("back", "pad"): "upholstered",
        ("back", "round"): "medallion",
        ("back", "tufted"): "buttoned",
        ("strap", "bracelet"): "bracelet",
    }
)
_MOODS = ("casual", "classic", "new in", "everyday", "summer", "winter", "gift idea", "sustainable", "limited")
# Styles that are named by what they are made of.
_MATERIALS = frozenset({"denim", "rubber", "straw", "felt"})
_CURRENCIES = ("EUR",) * 8 + ("USD", "GBP")
_FIRST_RELEASE = date(2022, 3, 1)

SELLERS = ("Lookalike Store", "Corner & Co", "Marktplatz 7", "Second Street")


def skewed(chance: Random, options: tuple[str, ...]) -> str:
    """Return one of the options, the first by far the likeliest, as brands and sellers are (Zipf)."""
    return chance.choices(options, cum_weights=list(accumulate(1 / rank for rank in range(1, len(options) + 1))))[0]


def describe(kind: Kind, look: Look, chance: Random, product_id: str) -> dict[str, Json]:
    """Return a product's attributes."""
    styles = [word for name, form in look.shape.items() if (word := STYLES.get((name, str(form))))]
    words = [look.colour, *([look.pattern] if look.pattern != "plain" else []), *styles[:1], kind.noun]
    name = " ".join(words)
    accents = [] if look.pattern == "plain" else [look.accent]
    tags = [kind.name, look.colour, *accents, look.pattern, *styles, chance.choice(_MOODS)]
    material = chance.choice(kind.materials.split(", "))
    facts: dict[str, Json] = {
        "name": name[0].upper() + name[1:],
        "category": kind.name,
        "department": kind.department,
        "brand": skewed(chance, BRANDS[kind.department]),
        "seller": skewed(chance, SELLERS),
        "price": _price(kind.price, chance),
        "currency": chance.choice(_CURRENCIES),
        "sizes": _sizes(SIZES[kind.sizes], chance),
        "tags": list(dict.fromkeys(tags)),
        "color": look.colour,
        "pattern": look.pattern,
        "material": next((word for word in styles if word in _MATERIALS), material),
        "in_stock": chance.random() < 0.9,
        "rating": round(min(5.0, max(1.0, chance.gauss(4.1, 0.6))), 1),
        "released": (_FIRST_RELEASE + timedelta(days=chance.randrange(1300))).isoformat(),
        "product_id": product_id,
        "view": "front",
    }
    if kind.name in MEASURES:
        width, height, depth = (round(chance.uniform(*span)) for span in MEASURES[kind.name])
        facts["dimensions"] = {"width_cm": width, "height_cm": height, "depth_cm": depth}
    return facts


def _price(span: Span, chance: Random) -> float:
    """Return a price as shops set them: most in the lower part of the range, ending in .99, .95, .50 or .00."""
    whole = int(span.low + (span.high - span.low) * chance.random() ** 2)
    return whole + chance.choice((0.99, 0.95, 0.5, 0.0))


def _sizes(all_sizes: tuple[str, ...], chance: Random) -> list[Json]:
    """Return the sizes that are left: neighbours, as a rule."""
    if len(all_sizes) == 1:
        return list(all_sizes)
    first = chance.randrange(0, len(all_sizes) // 2)
    last = chance.randrange(len(all_sizes) // 2, len(all_sizes)) + 1
    return list(all_sizes[first:last])
