"""Caps, hats and woolly hats."""

from math import cos, pi, sin

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, both, curve, ellipse, loop, mirrored, moved
from app.demo.light import CLOTH, FLAT, KNIT, PADDED, Light
from app.demo.look import Look
from app.demo.palette import CREASE, darker, lighter, thread
from app.demo.patterns import Paint

_FELT = Light(depth=5, shine=0.25, dark=0.45, edge=0.2, grain=0.08)


def cap(canvas: Canvas, look: Look) -> None:
    """Draw a baseball cap from the side, its peak to the left."""
    two_tone = look.has("panels", "two-tone")
    peak_colour = look.trim if two_tone else look.base
    dome = [
        *curve((28, 62), (27.5, 48), (35, 33), (52, 25.5), (69, 30), (78, 43), (80, 61)),
        *curve((80, 61), (66, 64.5), (44, 65), (28, 62)),
    ]
    crown = canvas.fill(dome, look.paint, PADDED)
    seam = thread(look.base)
    for path in (
        curve((53, 26), (49, 40), (50, 64.5)),
        curve((53, 26), (66, 38), (70, 64)),
        curve((52, 26), (37, 38), (31, 62)),
    ):
        canvas.line(path, darker(look.base, 0.5), 0.5, within=crown, strength=0.6)
        canvas.line(moved(path, 1, 0), seam, 0.28, within=crown, strength=0.7, dash=0.9)
    if two_tone:
        front = [
            *curve((28, 62), (27.5, 48), (35, 33), (46, 26.8)),
            *curve((46, 26.8), (46.5, 45), (45, 64.5)),
            *curve((45, 64.5), (36, 64), (28, 62)),
        ]
        canvas.fill(front, look.trim, PADDED)
    _badge(canvas, look, two_tone)
    for x, y in ((58.5, 37), (41.5, 35.5)):
        canvas.fill(ellipse((x, y), 1.1, 1.3), darker(look.base, 0.35), FLAT)
        canvas.dot((x, y), 0.55, darker(look.base, 0.7))
    canvas.fill(ellipse((53.5, 25.6), 2.6, 1.3), peak_colour, FLAT)
    length = look.measure("peak")
    under = [
        *curve((28, 60), (28 - length * 0.6, 63), (28 - length, 69)),
        *curve((28 - length, 69), (26, 70), (47, 65.5)),
    ]
    canvas.shade(moved(under, 2, 2.4), None, 0.3, blur=1.6)
    canvas.fill(under, darker(peak_colour, 0.5), FLAT)
    top = [
        *curve((30.5, 58.5), (28 - length * 0.45, 60), (28 - length, 67.8)),
        *curve((28 - length, 67.8), (26, 65.5), (50, 65)),
    ]
    peak = canvas.fill(top, peak_colour, CLOTH)
    for step in (1.6, 3.0, 4.4):
        row = curve(
            (30.5 + step, 59.5 + step * 0.6),
            (29 - length * 0.45 + step, 60.5 + step * 0.6),
            (29 - length + step * 1.5, 67.6),
        )
        canvas.line(row, thread(peak_colour), 0.25, within=peak, strength=0.6, dash=0.9)


def _badge(canvas: Canvas, look: Look, two_tone: bool) -> None:
    colour = look.base if two_tone else look.trim
    if look.has("badge", "disc"):
        canvas.fill(ellipse((38, 47), 4.6, 5.6), colour, FLAT)
    elif look.has("badge", "star"):
        star = [
            (38, 40.5),
            (39.6, 45),
            (44, 45.4),
            (40.6, 48.4),
            (41.6, 53.2),
            (38, 50.6),
            (34.4, 53.2),
            (35.4, 48.4),
            (32.4, 45.4),
            (36.4, 45),
        ]
        canvas.fill(star, colour, FLAT)


def hat(canvas: Canvas, look: Look) -> None:
    """Draw a hat with a brim: a fedora, a sun hat or a bucket hat."""
    if look.has("form", "bucket"):
        _bucket(canvas, look)
        return
    wide = look.has("form", "sun")
    brim_x, brim_y = (44, 13.5) if wide else (36, 9.0)
    canvas.fill(ellipse((50, 66), brim_x, brim_y), darker(look.base, 0.12), _FELT)
    canvas.shade(ellipse((53, 67.5), 24, 6), None, 0.35, blur=2.2)
    if wide:
        half = [*curve((50, 33.5), (38, 34.5), (31, 44), (29, 62)), *curve((29, 62), (38, 68), (50, 69.2))]
    else:
        half = [*curve((50, 33.5), (44, 29.6), (37, 30.6), (32.5, 42), (30, 62)), *curve((30, 62), (38, 67), (50, 68))]
    crown = canvas.fill(mirrored(half), look.paint, _FELT)
    if not wide:
        canvas.shade(curve((44, 33), (50, 40), (56, 33), (50, 34.5)), crown, 0.4, blur=1.4)
        for dent in both(curve((38, 37), (40, 44), (38.5, 50))):
            canvas.line(dent, CREASE, 2, within=crown, strength=0.25, blur=1.6)
    else:
        _straw(canvas, look, (brim_x, brim_y))
    ribbon = [
        *curve((29.4, 55.5), (38, 61), (50, 62.2), (62, 61), (70.6, 55.5)),
        *curve((71.4, 62), (62, 67.4), (50, 68.8), (38, 67.4), (28.6, 62)),
    ]
    canvas.fill(ribbon, look.trim, FLAT)
    if look.has("ribbon", "bow"):
        for wing in ([(66, 60.5), (72, 56), (73, 66.5)], [(66, 61.5), (61.5, 57), (61, 67.5)]):
            canvas.fill(loop(*wing), look.trim, CLOTH)
        canvas.fill(ellipse((66.2, 61.6), 1.3, 2), darker(look.trim, 0.15), FLAT)


def _straw(canvas: Canvas, look: Look, brim: tuple[float, float]) -> None:
    """Draw the rings of plaited straw."""
    tone = darker(look.base, 0.4)
    for step in range(1, 8):
        share = 0.6 + 0.4 * step / 8
        canvas.line(ellipse((50, 66), brim[0] * share, brim[1] * share, 0, 180), tone, 0.35, strength=0.35)
    for step in range(1, 9):
        y, x = 36 + step * 2.6, 11 + 9.4 * (step / 8) ** 0.5
        canvas.line(curve((50 - x, y), (50, y + 3.6), (50 + x, y)), tone, 0.35, strength=0.3)


def _bucket(canvas: Canvas, look: Look) -> None:
    brim = mirrored(
        [
            *curve((50, 58), (38, 57), (31, 54)),
            *curve((31, 54), (24, 62), (17.5, 71)),
            *curve((17.5, 71), (32, 77.5), (50, 79)),
        ]
    )
    lower = canvas.fill(brim, look.paint, CLOTH)
    for step in (0.3, 0.52, 0.74, 0.92):
        row = curve((31 - 13.5 * step, 55 + 16 * step), (50, 59 + 19 * step), (69 + 13.5 * step, 55 + 16 * step))
        canvas.line(row, thread(look.base), 0.28, within=lower, strength=0.6, dash=0.9)
    crown = canvas.fill(
        mirrored(
            [
                *curve((50, 27), (40, 27.6), (35.5, 31)),
                *curve((35.5, 31), (32.5, 44), (30, 56)),
                *curve((30, 56), (39, 61), (50, 62)),
            ]
        ),
        look.paint,
        PADDED,
    )
    canvas.line(curve((35.5, 31.4), (50, 35.5), (64.5, 31.4)), darker(look.base, 0.45), 0.5, within=crown, strength=0.7)
    for x in (42, 46):
        canvas.dot((x, 47), 0.7, darker(look.base, 0.65))


def beanie(canvas: Canvas, look: Look) -> None:
    """Draw a woolly hat with a turned-up edge, with a bobble or without."""
    top = 30.0 if look.has("top", "bobble") else 24.0
    if look.has("top", "bobble"):
        _bobble(canvas, look, (50, top - 3.5), 10)
    dome = mirrored([*curve((50, top), (38, top + 2.5), (27, top + 18), (24, 64)), (50, 70)])
    region = canvas.fill(dome, look.paint, KNIT)
    for index in range(-7, 8):
        path = curve((50 + index * 1.1, top), (50 + index * 2.9, top + 14), (50 + index * 3.6, 70))
        canvas.line(path, darker(look.base, 0.55), 0.7, within=region, strength=0.35, blur=0.25)
    fold = mirrored(
        [
            *curve((50, 59), (35, 58.5), (22, 56.5)),
            *curve((22, 56.5), (20.6, 66), (22, 75)),
            *curve((22, 75), (36, 77.6), (50, 78)),
        ]
    )
    canvas.shade(moved(fold, 0, -1.2), region, 0.4, blur=1.2)
    _rib(canvas, fold, Paint(look.trim if look.has("edge", "trim") else darker(look.base, 0.08), look.trim))


def _rib(canvas: Canvas, outline: Outline, paint: Paint) -> None:
    region = canvas.fill(outline, paint, KNIT)
    for index in range(-13, 14):
        x = 50 + index * 2.15
        canvas.line(
            curve((x * 0.985 + 0.75, 55), (x, 67), (x * 0.985 + 0.75, 79)),
            darker(paint.base, 0.6),
            0.75,
            within=region,
            strength=0.45,
            blur=0.25,
        )


def _bobble(canvas: Canvas, look: Look, centre: tuple[float, float], radius: float) -> None:
    """Draw a ball of wool: many short threads, the light ones last."""
    chance = look.chance("bobble")
    ball = canvas.fill(ellipse(centre, radius * 0.92, radius * 0.92), look.trim, PADDED)
    for index in range(110):
        angle, out = chance.uniform(0, 2 * pi), radius * chance.uniform(0.1, 0.98)
        root = (centre[0] + cos(angle) * out, centre[1] + sin(angle) * out)
        end = (
            root[0] + cos(angle) * 2 + chance.uniform(-0.6, 0.6),
            root[1] + sin(angle) * 2 + chance.uniform(-0.6, 0.6),
        )
        lit_side = cos(angle) + sin(angle) < 0.2
        tone = lighter(look.trim, 0.25) if lit_side and index % 2 else darker(look.trim, 0.3)
        canvas.line([root, end], tone, 0.7, within=ball if out < radius * 0.8 else None, strength=0.75)
