"""Mugs and teapots."""

from app.demo.canvas import Canvas
from app.demo.geometry import curve, ellipse, mirrored, moved, turned
from app.demo.light import CHINA, FLAT, Light
from app.demo.look import Look
from app.demo.palette import OAK, WHITE, Colour, darker, lighter

_SPOUT = Light(depth=2.6, shine=0.4, dark=0.4)
_HOLLOW = Light(depth=3, dark=0.5, shine=0.1)


def mug(canvas: Canvas, look: Look) -> None:
    """Draw a mug: straight, tapered or round-bellied."""
    width, top, low = look.measure("width"), 50 - look.measure("height") / 2, 76.0
    belly, foot = {"straight": (0.0, 0.5), "tapered": (1.0, 6.0), "round": (4.0, 5.0)}[str(look.shape["form"])]
    x = 44.0
    _handle(canvas, look, (x + width + belly * 0.4, top), low)
    side = [
        *curve((x - width, top), (x - width - belly, (top + low) / 2 + 2), (x - width + foot, low - 3)),
        *curve((x - width + foot, low - 3), (x - width + foot + 2, low + 0.6), (x, low + 2.6)),
    ]
    body = canvas.fill([*ellipse((x, top), width, 3.6, 0, 180), *mirrored(side, x)], look.paint, CHINA)
    if look.has("dip", "glazed") and look.pattern == "plain":
        line = [
            *curve((x - width - 6, low - 12), (x - 8, low - 7), (x + 9, low - 13), (x + width + 6, low - 9)),
            (x + width + 6, low + 6),
            (x - width - 6, low + 6),
        ]
        canvas.shade(line, body, 0.95, blur=0.15, colour=lighter(look.trim, 0.05))
        canvas.shade(line, body, 0.2, blur=0.1)
    _rim(canvas, look, (x, top), width, 3.6)
    canvas.line(
        curve(
            (x - width * 0.6, top + 7), (x - width * 0.62 - belly * 0.6, (top + low) / 2), (x - width * 0.6, low - 8)
        ),
        WHITE,
        2.6,
        within=body,
        strength=0.42,
        blur=1,
    )


def _handle(canvas: Canvas, look: Look, at: tuple[float, float], low: float) -> None:
    x, top = at
    mid = (top + low) / 2
    if look.has("handle", "angular"):
        path = [
            (x - 3, top + 8),
            *curve((x + 12, top + 8), (x + 15, top + 11)),
            *curve((x + 15, low - 14), (x + 12, low - 11)),
            (x - 3, low - 11),
        ]
    else:
        path = curve((x - 3, top + 9), (x + 8, top + 6), (x + 15, mid - 5), (x + 12, mid + 7), (x - 4, low - 9))
    canvas.line(moved(path, 0.5, 0.7), darker(look.base, 0.45), 5)
    canvas.line(path, darker(look.base, 0.1), 4.3)
    canvas.line(moved(path, -0.7, -0.8), lighter(look.base, 0.4), 1.1, strength=0.6, blur=0.4)


def _rim(
    canvas: Canvas, look: Look, centre: tuple[float, float], rx: float, ry: float, inside: Colour | None = None
) -> None:
    """Draw the opening: the edge's thickness, and the hollow."""
    canvas.fill(ellipse(centre, rx, ry), lighter(look.base, 0.25), FLAT)
    hollow = inside or darker(look.trim if look.has("dip", "glazed") else look.base, 0.35)
    canvas.fill(ellipse((centre[0], centre[1] + 0.3), rx - 1.3, ry - 0.8), hollow, _HOLLOW)


def teapot(canvas: Canvas, look: Look) -> None:
    """Draw a teapot."""
    low, top = 80.0, 44.0
    squat = look.measure("width")
    spout = [
        *curve((36 - squat, 55), (25 - squat, 56), (19 - squat, 50), (15 - squat, 42.6)),
        *curve((9.6 - squat, 44), (14 - squat, 58), (21 - squat, 68), (32 - squat, 75)),
        (40, 70),
    ]
    canvas.fill(spout, look.paint, _SPOUT)
    canvas.fill(
        turned(ellipse((12.3 - squat, 43.3), 2.9, 0.9), -14, (12.3 - squat, 43.3)), darker(look.base, 0.5), FLAT
    )
    if look.has("handle", "arch"):
        arch = curve((32, 50), (32, 26), (50, 18), (68, 26), (68, 50), steps=12)
        canvas.line(arch, darker(OAK, 0.35), 3.4)
        canvas.line(moved(arch, -0.5, -0.6), OAK, 2.2)
    else:
        ring = curve((66 + squat, 52), (80 + squat, 46.5), (88 + squat, 54), (84 + squat, 65), (68 + squat, 73))
        canvas.line(ring, darker(look.base, 0.35), 4.6)
        canvas.line(moved(ring, -0.5, -0.6), lighter(look.base, 0.08), 3.2)
    half = [
        *curve((50, top), (40, top + 0.6), (28 - squat, 56), (27 - squat, 68), (38, low)),
        *curve((38, low), (44, low + 1.6), (50, low + 1.8)),
    ]
    body = canvas.fill(mirrored(half), look.paint, CHINA)
    canvas.line(
        curve((36 - squat, 56), (33.4 - squat, 64), (36 - squat, 72)), WHITE, 2.4, within=body, strength=0.45, blur=1
    )
    canvas.fill(
        mirrored([*curve((50, 40), (42, 41), (38.5, 46)), *curve((38.5, 46), (44, 48.4), (50, 48.6))]),
        look.trim if look.has("lid", "trim") else look.base,
        CHINA,
    )
    canvas.fill(ellipse((50, 38.4), 3, 2.8), OAK if look.has("handle", "arch") else look.base, CHINA)
