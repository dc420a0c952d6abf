"""Lamps: for the table, the floor, the desk and the ceiling."""

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, band, curve, ellipse, turned
from app.demo.light import CHINA, METAL, SHADE, Light
from app.demo.look import Look
from app.demo.palette import INK, METALS, WHITE, Colour, darker, lighter
from app.demo.vases import revolved

_WARM: Colour = (255, 236, 190)
_POLE = Light(depth=0.7, shine=0.5, dark=0.4, round=0.4)


def lamp(canvas: Canvas, look: Look) -> None:
    """Draw a lamp."""
    {"table": _table, "floor": _floor, "desk": _desk, "pendant": _pendant}[str(look.shape["form"])](canvas, look)


def _cone(canvas: Canvas, look: Look, top: float, low: float, upper: float, lower: float) -> None:
    """Draw a shade of cloth, lit from inside."""
    outline = [*ellipse((50, top), upper, upper * 0.12, 180, 360), *ellipse((50, low), lower, lower * 0.12, 0, 180)]
    region = canvas.fill(outline, look.paint, SHADE)
    canvas.shade(ellipse((50, low + 2), lower * 0.75, (low - top) * 0.55), region, 0.55, blur=5, colour=_WARM)
    canvas.line(ellipse((50, low), lower, lower * 0.12, 0, 180), darker(look.base, 0.2), 0.8, within=region)
    canvas.line(ellipse((50, top), upper, upper * 0.12, 180, 360), darker(look.base, 0.2), 0.8, within=region)


def _table(canvas: Canvas, look: Look) -> None:
    metal = METALS[str(look.shape["metal"])]
    body = str(look.shape["body"])
    foot = 86.0
    canvas.fill([(49, 46), (51, 46), (51, 60), (49, 60)], metal, METAL)
    if body == "stick":
        canvas.fill([(48.4, 46), (51.6, 46), (51.6, foot), (48.4, foot)], metal, _POLE)
        canvas.fill([*ellipse((50, foot), 15, 2.4, 0, 180), *ellipse((50, foot - 2), 15, 2.4, 180, 360)], metal, _POLE)
    else:
        canvas.fill(
            revolved(body, 54, foot, 0.85), look.trim if look.has("china", "trim") else darker(look.base, 0.15), CHINA
        )
        canvas.fill(
            [*ellipse((50, foot + 1.6), 10.4, 1.6, 0, 180), *ellipse((50, foot), 10.4, 1.6, 180, 360)], metal, _POLE
        )
    upper = {"cone": 14.0, "drum": 23.0, "empire": 9.0}[str(look.shape["shade"])]
    _cone(canvas, look, 16, 50, upper, 26)


def _floor(canvas: Canvas, look: Look) -> None:
    metal = METALS[str(look.shape["metal"])]
    if look.has("body", "stick", "cylinder"):
        canvas.fill([(49.1, 30), (50.9, 30), (50.9, 94), (49.1, 94)], metal, _POLE)
        canvas.fill([*ellipse((50, 94.4), 12, 1.8, 0, 180), *ellipse((50, 93), 12, 1.8, 180, 360)], metal, _POLE)
    else:
        for tip in (-16, 3, 16):
            canvas.fill(band([(50 + tip * 0.1, 34), (50 + tip, 95)], (2.4, 1.6)), metal, METAL)
        canvas.fill(ellipse((50, 52), 4.8, 1.2), darker(metal, 0.2), METAL)
    upper = {"cone": 10.0, "drum": 18.0, "empire": 7.0}[str(look.shape["shade"])]
    _cone(canvas, look, 8, 33, upper, 20)


def _desk(canvas: Canvas, look: Look) -> None:
    metal = METALS[str(look.shape["metal"])]
    foot, elbow, head = (54.0, 86.0), (70.0, 52.0), (40.0, 27.0)
    canvas.fill([*ellipse((54, 87.4), 18, 3.2, 0, 180), *ellipse((54, 85), 18, 3.2, 180, 360)], look.base, METAL)
    for a, b in ((foot, elbow), (elbow, head)):
        for offset in (-1.4, 1.4):
            canvas.fill(band([(a[0] + offset, a[1]), (b[0] + offset, b[1])], (1.3, 1.3)), metal, METAL)
    for joint in (elbow, (foot[0], foot[1] - 3), head):
        canvas.fill(ellipse(joint, 2.6, 2.6), darker(metal, 0.25), METAL)
    bell: Outline = [
        *curve((33, 22), (28, 28), (22, 45)),
        *curve((22, 45), (36, 49.4), (50, 45)),
        *curve((50, 45), (45, 30), (41, 22)),
        *curve((41, 22), (37, 19), (33, 22)),
    ]
    shape = turned(bell, 24, (38, 26))
    mouth = turned(ellipse((36, 45.2), 14, 3), 24, (38, 26))
    canvas.shade(turned([(26, 47), (47, 47), (52, 66), (22, 66)], 24, (38, 26)), None, 0.3, blur=4, colour=_WARM)
    canvas.fill(shape, look.paint, CHINA)
    canvas.fill(mouth, _WARM, SHADE)
    canvas.line(mouth, darker(look.base, 0.25), 0.7)


def _pendant(canvas: Canvas, look: Look) -> None:
    metal = METALS[str(look.shape["metal"])]
    canvas.line([(50, 2), (50, 34)], INK, 0.9)
    canvas.fill([*ellipse((50, 5), 6, 1.6, 0, 180), (44, 2), (56, 2)], metal, METAL)
    canvas.fill([(47.4, 28), (52.6, 28), (53, 38), (47, 38)], metal, METAL)
    shape = str(look.shape["shade"])
    if shape == "drum":
        half = [*curve((50, 36), (38, 37), (25, 46), (20, 64))]
        y, rx = 64.0, 30.0
    elif shape == "cone":
        half = [*curve((50, 36), (46, 36.4)), *curve((46, 36.4), (32, 52), (16, 70))]
        y, rx = 70.0, 34.0
    else:
        half = [*curve((50, 36), (42, 37), (30, 48), (28, 62), (36, 74))]
        y, rx = 74.0, 14.0
    outline = [*half, *ellipse((50, y), rx, rx * 0.13, 180, 0), *[(100 - x, v) for x, v in half[::-1]]]
    canvas.fill(ellipse((50, y), rx, rx * 0.13), lighter(_WARM, 0.2), SHADE)
    body = canvas.fill(outline, look.paint, CHINA)
    canvas.fill(ellipse((50, y), rx - 0.8, rx * 0.1), _WARM, SHADE)
    canvas.shade(ellipse((50, y + 4), rx * 0.8, 5), None, 0.5, blur=3, colour=_WARM)
    canvas.line(ellipse((50, y), rx, rx * 0.13, 0, 180), darker(look.base, 0.2), 0.8)
    canvas.line(
        curve(*[(50 - (50 - x) * 0.6, v + 2) for x, v in half[6:-4:4]]), WHITE, 2.2, within=body, strength=0.4, blur=1.1
    )
