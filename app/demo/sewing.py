"""What is sewn on a garment: ribs, cuffs, buttons, the edge of a neck."""

from dataclasses import replace
from math import cos, radians, sin

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, Point, both, ellipse, mirrored
from app.demo.light import FLAT, KNIT, METAL
from app.demo.look import Look
from app.demo.palette import Colour, darker, thread
from app.demo.patterns import Paint
from app.demo.torso import Cut, sleeve


def collar_rib(canvas: Canvas, cut: Cut, colour: Paint, width: float = 2.6) -> None:
    """Draw the knitted edge of a neck opening."""
    wide = replace(cut, neck=cut.neck + width * 0.75, drop=cut.drop + width)
    ring = mirrored(wide.neckline()) + mirrored(cut.neckline())[::-1]
    canvas.fill(ring, colour.without_pattern(), FLAT)
    for side in both(wide.neckline()):
        canvas.line(side, thread(colour.base), 0.25, strength=0.5)


def ribbed(canvas: Canvas, outline: Outline, paint: Paint) -> None:
    """Draw a knitted edge: a plain shape with upright ribs."""
    region = canvas.fill(outline, paint.without_pattern(), KNIT)
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    at = min(xs) + 0.6
    while at < max(xs):
        canvas.line([(at, min(ys)), (at, max(ys))], darker(paint.base, 0.55), 0.4, within=region, strength=0.4)
        at += 1.3


def _cuff(cut: Cut, depth: float) -> tuple[Outline, float]:
    """Return the outline of the left cuff of a long sleeve, and the sleeve's slant."""
    _, (outer, inner), slant = sleeve(cut, "long")
    dx, dy = sin(radians(slant)) * depth, -cos(radians(slant)) * depth
    return [outer, inner, (inner[0] + dx, inner[1] + dy), (outer[0] + dx, outer[1] + dy)], slant


def cuffs(canvas: Canvas, look: Look, cut: Cut) -> None:
    """Draw the cuffs of a shirt: the same cloth, cut across."""
    left, slant = _cuff(cut, 5.5)
    for side, turn in zip(both(left), (slant, -slant), strict=True):
        canvas.fill(side, look.paint, FLAT, angle=90 + turn)
        canvas.line(side[2:], thread(look.base), 0.25, strength=0.6)


def ribbed_cuffs(canvas: Canvas, cut: Cut, paint: Paint) -> None:
    """Draw knitted cuffs."""
    for side in both(_cuff(cut, 6)[0]):
        ribbed(canvas, side, paint)


def button(canvas: Canvas, at: Point, radius: float, colour: Colour) -> None:
    """Draw a button."""
    canvas.fill(ellipse(at, radius, radius), colour, METAL)
    for dx in (-0.3, 0.3):
        canvas.dot((at[0] + dx * radius, at[1]), radius * 0.16, darker(colour, 0.6))
