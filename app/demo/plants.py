"""Plants in pots."""

from app.demo.canvas import Canvas
from app.demo.geometry import curve, ellipse, flip, loop, mirrored, moved, turned
from app.demo.light import CHINA, FLAT, HIDE
from app.demo.look import Look
from app.demo.palette import CREASE, OAK, Colour, blend, darker, lighter


def planter(canvas: Canvas, look: Look) -> None:
    """Draw a plant in a pot."""
    low = 76.0 if look.has("stand", "legs") else 84.0
    top = low - look.measure("height")
    half, foot = (17.0, 15.6) if look.has("form", "straight") else (19.0, 12.5)
    _plant(canvas, look, top)
    side = [
        *curve(
            (50 - half, top),
            (50 - (half + foot) / 2 - (2 if look.has("form", "round") else 0), (top + low) / 2),
            (50 - foot, low - 1),
        ),
        *curve((50 - foot, low - 1), (50 - foot * 0.6, low + 1.6), (50, low + 2)),
    ]
    if look.has("stand", "legs"):
        for x in (-1, 0, 1):
            canvas.fill(
                [
                    (50 + x * 12 - 1.3, low - 4),
                    (50 + x * 12 + 1.3, low - 4),
                    (50 + x * 14 + 0.8, low + 9),
                    (50 + x * 14 - 0.8, low + 9),
                ],
                OAK,
                HIDE,
            )
    body = canvas.fill([*ellipse((50, top), half, 2.6, 0, 180), *mirrored(side)], look.paint, CHINA)
    canvas.line(ellipse((50, top), half, 2.6, 0, 180), lighter(look.base, 0.35), 1)
    canvas.line(ellipse((50, top + 1.4), half, 2.6, 0, 180), CREASE, 0.8, within=body, strength=0.25, blur=0.4)


def _plant(canvas: Canvas, look: Look, top: float) -> None:
    chance = look.chance("plant")
    leaf: Colour = chance.choice([(70, 128, 76), (92, 140, 84), (58, 108, 84)])
    canvas.fill(ellipse((50, top), 16, 2.4), (70, 52, 42), FLAT)
    if look.has("plant", "cactus"):
        column = loop((50, top - 34), (57, top - 28), (57.5, top), (42.5, top), (43, top - 28))
        trunk = canvas.fill(column, leaf, CHINA)
        for x in (46, 50, 54):
            canvas.line(
                curve((x, top), (x, top - 16), (50 + (x - 50) * 0.5, top - 33)),
                darker(leaf, 0.5),
                0.5,
                within=trunk,
                strength=0.7,
            )
        bough = curve((57, top - 12), (64, top - 13), (65, top - 22))
        for arm in (bough, flip(moved(bough, 0, -5))):
            canvas.line(arm, darker(leaf, 0.15), 5)
        return
    blades = look.has("plant", "snake")
    count = 11 if blades else 15
    for index in range(count):
        spread = (index / (count - 1) - 0.5) * (46 if blades else 130)
        order = spread * (1 if index % 2 else 0.7)
        length = chance.uniform(30, 40) if blades else chance.uniform(22, 36)
        tone = blend(leaf, (190, 214, 140), chance.uniform(0, 0.22))
        half = 2.6 if blades else 5.2
        shape = turned(
            loop(
                (50, top - length),
                (50 + half, top - length * 0.55),
                (50.6, top + 1),
                (49.4, top + 1),
                (50 - half, top - length * 0.55),
            ),
            order,
            (50, top + 2),
        )
        region = canvas.fill(shape, darker(tone, 0.25 * (index % 3) / 2), HIDE)
        rib = turned([(50, top), (50, top - length * 0.92)], order, (50, top + 2))
        canvas.line(rib, lighter(tone, 0.35), 0.5, within=region, strength=0.8)
