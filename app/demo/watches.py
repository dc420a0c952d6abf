"""Watches."""

from math import cos, radians, sin

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, curve, ellipse, rounded
from app.demo.light import HIDE, METAL, Light
from app.demo.look import Look
from app.demo.palette import INK, IVORY, METALS, WHITE, Colour, blend, darker, thread

_CASE = Light(depth=1.6, shine=0.7, dark=0.6)


def watch(canvas: Canvas, look: Look) -> None:
    """Draw a wrist watch, with hands or digits, on a strap or a bracelet."""
    metal = METALS[str(look.shape["metal"])]
    square = look.has("case", "square")
    radius = look.measure("size")
    _strap(canvas, look, metal, radius * 0.62)
    for y in (50 - radius * 0.78, 50 + radius * 0.78):
        for sign in (-1, 1):
            x = 50 + sign * radius * 0.6
            canvas.fill(rounded(x - 1.8, y - 5, x + 1.8, y + 5, 1.4), metal, METAL)
    canvas.fill(rounded(50 + radius - 0.5, 47.6, 50 + radius + 3, 52.4, 0.8), metal, METAL)
    outer = (
        rounded(50 - radius, 50 - radius, 50 + radius, 50 + radius, 5) if square else ellipse((50, 50), radius, radius)
    )
    canvas.fill(outer, metal, _CASE)
    inner = radius - 2.6
    dial_colour: Colour = {"light": IVORY, "dark": (40, 42, 50), "match": blend(look.base, (40, 42, 60), 0.25)}[
        str(look.shape["dial"])
    ]
    shape = rounded(50 - inner, 50 - inner, 50 + inner, 50 + inner, 3.6) if square else ellipse((50, 50), inner, inner)
    dial = canvas.fill(shape, dial_colour, Light(depth=1.2, dark=0.35, shine=0.05))
    marks = INK if sum(dial_colour) > 450 else IVORY
    if square and look.has("dial", "dark"):
        _screen(canvas, look, inner)
    else:
        _hands(canvas, look, inner, marks)
    canvas.shade(
        [(50 - inner, 50 - inner), (50 + inner * 0.2, 50 - inner), (50 - inner * 0.75, 50 + inner)],
        dial,
        0.14,
        blur=0.6,
        colour=WHITE,
    )


def _strap(canvas: Canvas, look: Look, metal: Colour, half: float) -> None:
    upper: Outline = [
        *curve((50 - half, 50), (50 - half * 0.98, 26), (50 - half * 0.78, 4)),
        *curve((50 - half * 0.78, 4), (50, 2.6), (50 + half * 0.78, 4)),
        *curve((50 + half * 0.78, 4), (50 + half * 0.98, 26), (50 + half, 50)),
    ]
    lower = [(x, 100 - y) for x, y in upper]
    if look.has("strap", "bracelet"):
        for part in (upper, lower):
            region = canvas.fill(part, metal, HIDE)
            for step in range(9):
                y = 4 + step * 4.2 if part is upper else 96 - step * 4.2
                canvas.line([(30, y), (70, y)], darker(metal, 0.6), 0.7, within=region, strength=0.7)
                canvas.line([(30, y + 0.9), (70, y + 0.9)], WHITE, 0.6, within=region, strength=0.5)
            for x in (50 - half * 0.36, 50 + half * 0.36):
                canvas.line([(x, 0), (x, 100)], darker(metal, 0.5), 0.5, within=region, strength=0.6)
        return
    for part in (upper, lower):
        region = canvas.fill(part, look.paint, HIDE)
        if look.has("strap", "leather"):
            inset = [(50 + (x - 50) * 0.8, y * 0.97 + (1.5 if part is upper else 1.2)) for x, y in part]
            canvas.line(inset, thread(look.base), 0.35, within=region, dash=1)
    for y in (80, 84.5, 89):
        canvas.fill(ellipse((50, y), 1.0, 1.2), darker(look.base, 0.65))
    canvas.line(
        [
            (50 - half * 0.95, 9),
            (50 + half * 0.95, 9),
            (50 + half * 0.95, 16),
            (50 - half * 0.95, 16),
            (50 - half * 0.95, 9),
        ],
        metal,
        1.3,
    )


def _hands(canvas: Canvas, look: Look, inner: float, marks: Colour) -> None:
    for hour in range(12):
        angle = radians(hour * 30)
        deep = 0.72 if hour % 3 == 0 else 0.8
        ends = [(50 + sin(angle) * inner * at, 50 - cos(angle) * inner * at) for at in (deep, 0.9)]
        canvas.line(ends, marks, 1.3 if hour % 3 == 0 else 0.6)
    if look.has("face", "chrono"):
        for x, y in ((-0.38, 0), (0.38, 0), (0, 0.4)):
            canvas.line(ellipse((50 + x * inner, 50 + y * inner), inner * 0.2, inner * 0.2), marks, 0.5, strength=0.7)
    chance = look.chance("time")
    # Shops set watches to about ten past ten: the hands frame the maker's name.
    for turn, length, width in ((302 + chance.uniform(-5, 5), 0.48, 1.7), (52 + chance.uniform(-8, 8), 0.74, 1.2)):
        angle = radians(turn)
        canvas.line([(50, 50), (50 + sin(angle) * inner * length, 50 - cos(angle) * inner * length)], marks, width)
    canvas.line([(50, 54), (50, 50 - inner * 0.8)], (208, 62, 58), 0.5)
    canvas.dot((50, 50), 1.3, marks)


def _screen(canvas: Canvas, look: Look, inner: float) -> None:
    """Draw a smart watch's rings and bars."""
    tints: tuple[Colour, ...] = ((240, 84, 96), (120, 214, 96), (88, 190, 240))
    for index, tint in enumerate(tints):
        reach = inner * (0.62 - index * 0.17)
        canvas.line(ellipse((50, 50), reach, reach), darker(tint, 0.7), inner * 0.11)
        canvas.line(
            ellipse((50, 50), reach, reach, -90, look.chance(f"ring{index}").uniform(40, 230)), tint, inner * 0.11
        )
