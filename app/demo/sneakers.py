"""Sneakers, seen from the side, their toes to the left."""

from app.demo.canvas import Canvas, Region
from app.demo.geometry import curve, ellipse, mix, moved
from app.demo.light import CLOTH, FLAT, HIDE, RUBBER
from app.demo.look import Look
from app.demo.palette import IVORY, Colour, darker, thread


def sneaker(canvas: Canvas, look: Look) -> None:
    """Draw a sneaker, low or high."""
    high = look.has("height", "high")
    collar = 29.0 if high else 43.0
    sole: Colour = (
        IVORY if look.has("sole", "white") else darker(look.base, 0.55) if look.has("sole", "dark") else (196, 148, 98)
    )
    tongue = [
        *curve((51, 52), (55, 44), (58.5, collar - 3)),
        *curve((58.5, collar - 3), (62, collar - 4.5), (65, collar - 1)),
        (66, 54),
    ]
    canvas.fill(tongue, darker(look.base, 0.12), CLOTH)
    inner = [
        *curve((62, collar + 1), (72, collar - 0.5), (86, collar - 1)),
        *curve((86, collar - 1), (80, collar + 5), (66, collar + 6)),
    ]
    canvas.fill(inner, darker(look.base, 0.5), FLAT)
    upper = [
        *curve(
            (8.5, 67), (9, 60.5), (15, 56.5), (27, 55), (38, 52.5), (50, 47.5 if not high else 46), (61.5, collar + 1.5)
        ),
        *curve((61.5, collar + 1.5), (70, collar + 5), (80, collar + 3), (87, collar - 1.5)),
        *curve((87, collar - 1.5), (89.2, collar + 8), (88, 60), (89, 67)),
        (89, 69),
        (8.5, 69),
    ]
    body = canvas.fill(upper, look.paint, HIDE if look.pattern == "plain" else CLOTH)
    _overlays(canvas, look, body, collar)
    _laces(canvas, look, collar)
    rim = [
        *curve((6.5, 69), (6.2, 66), (8, 64.6)),
        *curve((8, 64.6), (20, 66.4), (40, 66), (70, 65.4), (90, 64)),
        *curve((90, 64), (92.4, 67), (91.8, 71)),
        *curve((91.8, 71), (88, 73.6), (70, 73), (40, 73.2), (14, 73.6), (8, 72), (6.5, 69)),
    ]
    shoe_sole = canvas.fill(rim, sole, RUBBER)
    line = curve((7, 69.4), (20, 70), (60, 69.8), (91.6, 68.2))
    canvas.line(
        line, look.trim if look.has("stripe", "side") else darker(sole, 0.35), 0.8, within=shoe_sole, strength=0.8
    )
    for x in range(12, 90, 4):
        canvas.line([(x, 72), (x + 1, 74)], darker(sole, 0.5), 0.7, within=shoe_sole, strength=0.45)


def _overlays(canvas: Canvas, look: Look, body: Region, collar: float) -> None:
    """Draw what is stitched on the upper: toe, heel, eyelet stay, and a stripe or a star."""
    seam = thread(look.base)
    if look.has("toe", "cap"):
        canvas.fill(
            [*curve((8.5, 67), (9, 60.5), (15, 56.5), (24, 55.2)), *curve((24, 55.2), (27.5, 60), (26, 67))],
            IVORY,
            RUBBER,
        )
    else:
        toe = curve((16, 67), (22, 61), (33, 58), (38, 53.5))
        canvas.line(toe, darker(look.base, 0.4), 0.5, within=body, strength=0.7)
        canvas.line(moved(toe, 0.9, 0.9), seam, 0.28, within=body, dash=0.9)
        for row in range(3):
            for at in range(3):
                canvas.dot(
                    (17 + at * 3.4 + row * 2.2, 61.5 - row * 1.7 + at * 0.2), 0.42, darker(look.base, 0.6), within=body
                )
    heel = [
        *curve((76.5, 67), (78, 58), (80.5, collar + 9)),
        *curve((80.5, collar + 9), (84, collar + 3), (87, collar - 1.5)),
        *curve((87, collar - 1.5), (89.2, collar + 8), (88, 60), (89, 67)),
    ]
    canvas.fill(heel, look.trim if look.has("stripe", "heel", "side") else darker(look.base, 0.2), HIDE)
    if look.has("stripe", "side"):
        for shift in (0.0, 6.0, 12.0):
            bar = [(52 + shift, 66.5), (56 + shift, 66.5), (63 + shift * 0.82, 52), (59.8 + shift * 0.82, 51)]
            canvas.fill(bar, look.trim, FLAT)
    elif look.has("stripe", "swash"):
        canvas.fill(
            [*curve((44, 60), (52, 63.5), (66, 59.5), (84, 51)), *curve((84, 51), (68, 63), (52, 66.5), (44, 60))],
            look.trim,
            FLAT,
        )
    elif look.has("stripe", "disc"):
        canvas.fill(ellipse((71, collar + 12), 4.6, 4.6), IVORY, FLAT)
        canvas.fill(ellipse((71, collar + 12), 3.1, 3.1), look.trim if look.trim != IVORY else look.base, FLAT)


def _laces(canvas: Canvas, look: Look, collar: float) -> None:
    low, high = (37.5, 55.2), (60.5, collar + 4)
    stay = [
        mix(low, high, -0.04),
        mix(low, high, 1.0),
        (high[0] + 4.2, high[1] + 1.2),
        *curve((high[0] + 4.2, high[1] + 1.2), (55, 56 if collar > 40 else 53), (42.5, 60.5)),
        (37, 58),
    ]
    canvas.fill(stay, darker(look.base, 0.12), HIDE)
    lace = IVORY if look.has("sole", "white") else look.trim
    count = 5 if collar > 40 else 7
    for index in range(count):
        x, y = mix((40, 55.5), (high[0] + 0.6, high[1] + 1), index / (count - 1))
        end = (x + 3.0, y + 2.6)
        canvas.dot(end, 0.7, darker(look.base, 0.65))
        canvas.line(curve((x - 3.4, y - 2.6), (x, y - 1.3), end), darker(lace, 0.45), 1.7)
        canvas.line(curve((x - 3.4, y - 2.8), (x, y - 1.5), (end[0], end[1] - 0.2)), lace, 1.25)
