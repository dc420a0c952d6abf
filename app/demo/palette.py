"""The colours of the catalogue, by the name that stands in a product's attributes."""

from types import MappingProxyType

Colour = tuple[int, int, int]

COLOURS = MappingProxyType(
    {
        "black": (45, 46, 51),
        "white": (250, 249, 246),
        "grey": (146, 151, 158),
        "beige": (216, 196, 165),
        "brown": (124, 80, 52),
        "red": (200, 48, 56),
        "burgundy": (112, 31, 52),
        "pink": (236, 167, 184),
        "orange": (229, 124, 54),
        "mustard": (226, 178, 58),
        "green": (58, 138, 91),
        "olive": (110, 116, 70),
        "teal": (40, 131, 137),
        "sky": (159, 200, 232),
        "blue": (56, 112, 196),
        "navy": (36, 52, 94),
        "purple": (122, 86, 166),
    }
)

# What goes well with a colour in a pattern, or as trim: the first is the likeliest.
ACCENTS = MappingProxyType(
    {
        "black": ("white", "mustard", "grey"),
        "white": ("navy", "red", "black", "green", "pink"),
        "grey": ("white", "navy", "burgundy"),
        "beige": ("brown", "white", "burgundy"),
        "brown": ("beige", "mustard", "white"),
        "red": ("white", "navy", "beige"),
        "burgundy": ("beige", "pink", "white"),
        "pink": ("white", "burgundy", "red"),
        "orange": ("white", "brown", "navy"),
        "mustard": ("navy", "white", "brown"),
        "green": ("white", "beige", "navy"),
        "olive": ("beige", "black", "mustard"),
        "teal": ("white", "mustard", "navy"),
        "sky": ("white", "navy", "mustard"),
        "blue": ("white", "navy", "mustard"),
        "navy": ("white", "red", "sky"),
        "purple": ("white", "pink", "mustard"),
    }
)

WHITE: Colour = (255, 255, 255)
IVORY: Colour = (247, 244, 236)
INK: Colour = (38, 36, 40)
CREASE: Colour = (20, 16, 24)
OAK: Colour = (190, 143, 95)
WALNUT: Colour = (112, 73, 48)
BRASS: Colour = (196, 160, 92)
STEEL: Colour = (178, 182, 188)
METALS: MappingProxyType[str, Colour] = MappingProxyType(
    {"brass": BRASS, "gold": BRASS, "steel": STEEL, "black": (60, 60, 65), "rose": (206, 150, 132), "oak": OAK}
)
LEATHER: Colour = (150, 96, 58)
DENIM_THREAD: Colour = (205, 150, 84)


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that lies a share of the way from `a` to `b`."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def darker(colour: Colour, share: float) -> Colour:
    """Return a colour in the shade: towards a warm black rather than grey, as cloth does."""
    return blend(colour, (22, 18, 26), share)


def lighter(colour: Colour, share: float) -> Colour:
    """Return a colour in the light."""
    return blend(colour, WHITE, share)


def thread(colour: Colour) -> Colour:
    """Return the colour of a seam that can be seen on this cloth: darker on light cloth, lighter on dark."""
    return darker(colour, 0.35) if sum(colour) > 240 else lighter(colour, 0.3)
