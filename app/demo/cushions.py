"""Cushions."""

from app.demo.canvas import Canvas
from app.demo.furniture import STUFFED
from app.demo.geometry import Outline, Point, curve, ellipse
from app.demo.light import PADDED
from app.demo.look import Look
from app.demo.palette import CREASE, darker, thread


def square(centre: Point, rx: float, ry: float, sag: float = 0.9) -> Outline:
    """Return a filled cushion's outline: corners that stick out, sides that give way a little."""
    x, y = centre
    return [
        *curve((x - rx, y - ry), (x - rx * 0.4, y - ry * sag), (x + rx * 0.4, y - ry * sag), (x + rx, y - ry)),
        *curve((x + rx, y - ry), (x + rx * sag, y - ry * 0.4), (x + rx * sag, y + ry * 0.4), (x + rx, y + ry)),
        *curve((x + rx, y + ry), (x + rx * 0.4, y + ry * sag), (x - rx * 0.4, y + ry * sag), (x - rx, y + ry)),
        *curve((x - rx, y + ry), (x - rx * sag, y + ry * 0.4), (x - rx * sag, y - ry * 0.4), (x - rx, y - ry)),
    ]


def cushion(canvas: Canvas, look: Look) -> None:
    """Draw a cushion: square, long or round."""
    form = str(look.shape["form"])
    if form == "round":
        outline = ellipse((50, 50), 33, 32)
    else:
        outline = square((50, 50), 35 if form == "square" else 38, 34 if form == "square" else 23)
    if look.has("edge", "piping"):
        canvas.line([*outline, outline[0]], darker(look.trim, 0.08), 2.2)
    elif look.has("edge", "fringe"):
        _fringe(canvas, look, outline)
    body = canvas.fill(outline, look.paint, STUFFED)
    for path in (
        curve((20, 21), (27, 30), (30, 38)),
        curve((80, 21), (74, 29), (70, 40)),
        curve((21, 79), (28, 71), (31, 62)),
        curve((79, 79), (73, 71), (70, 62)),
    ):
        canvas.line(path, CREASE, 2, within=body, strength=0.2, blur=1.6)
    if look.has("edge", "button"):
        canvas.shade(ellipse((50, 50), 7, 6), body, 0.4, blur=3.4)
        for index in range(8):
            x, y = ellipse((50, 50), 11, 10, index * 45, index * 45 + 1, steps=1)[0]
            canvas.line([(50, 50), (x, y)], CREASE, 1, within=body, strength=0.25, blur=0.8)
        canvas.fill(ellipse((50, 50), 2.6, 2.6), look.trim, PADDED)
    canvas.line(curve((30, 84), (50, 81), (70, 84)), thread(look.base), 0.3, within=body, strength=0.4)


def _fringe(canvas: Canvas, look: Look, outline: Outline) -> None:
    for x, y in outline:
        dx, dy = (x - 50) * 0.09, (y - 50) * 0.09
        canvas.line([(x, y), (x + dx, y + dy)], look.trim, 0.8)
