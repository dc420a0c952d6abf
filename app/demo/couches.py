"""Armchairs and sofas."""

from app.demo.canvas import Canvas
from app.demo.cushions import square
from app.demo.furniture import STUFFED, WOODS, leg, tuft
from app.demo.geometry import both, curve, ellipse, mirrored, moved, rounded
from app.demo.light import PADDED
from app.demo.look import Look
from app.demo.palette import darker
from app.demo.patterns import Paint


def armchair(canvas: Canvas, look: Look) -> None:
    """Draw an armchair."""
    _couch(canvas, look, half=27.0, seats=1)


def sofa(canvas: Canvas, look: Look) -> None:
    """Draw a sofa for two or three."""
    _couch(canvas, look, half=43.0, seats=int(look.measure("seats")))


def _couch(canvas: Canvas, look: Look, *, half: float, seats: int) -> None:
    arm = {"round": 8.5, "square": 7.0, "slim": 4.2}[str(look.shape["arms"])] * (1 if seats > 1 else 0.85)
    top, seat, base, floor = 36.0 - (6 if seats == 1 else 0), 58.0, 74.0, 82.0
    legs = WOODS[str(look.shape["legs"])]
    for x in (half - 4, half - 12) if seats > 2 else (half - 5,):
        for post in both([(50 - x, base - 2), (48.4 - x, floor)]):
            leg(canvas, post[0], post[1], legs, (3.4, 1.9))
    back = mirrored(
        [
            *curve((50, top), (50 - half * 0.6, top), (50 - half + 4, top + 1.4)),
            *curve((50 - half + 4, top + 1.4), (50 - half + 1.4, top + 4), (50 - half + 1.4, base)),
            (50, base),
        ]
    )
    canvas.fill(back, look.paint, PADDED)
    inner = half - arm
    width = 2 * inner / seats
    for index in range(seats):
        x0 = 50 - inner + index * width
        cushion = canvas.fill(rounded(x0 + 0.3, top + 3, x0 + width - 0.3, seat + 2, 4), look.paint, STUFFED)
        if look.has("back", "tufted"):
            for column in (0.3, 0.7):
                for y in (top + 9, top + 16):
                    tuft(canvas, (x0 + width * column, y), look.base, cushion)
    canvas.fill(
        rounded(50 - half + 2, seat + 6, 50 + half - 2, base, 1.5),
        darker(look.base, 0.08) if look.pattern == "plain" else look.paint,
        PADDED,
    )
    canvas.shade(
        [(50 - inner, seat - 4), (50 + inner, seat - 4), (50 + inner, seat), (50 - inner, seat)], None, 0.28, blur=1.4
    )
    for index in range(seats):
        x0 = 50 - inner + index * width
        canvas.fill(rounded(x0 + 0.2, seat - 1.5, x0 + width - 0.2, seat + 8, 3), look.paint, PADDED)
    _arms(canvas, look, half, arm, (seat - 12 if seats > 1 else seat - 11), base)
    if look.has("pillow", "one", "two"):
        cloth = Paint(look.trim, look.base, "striped" if look.has("legs", "oak") else "plain", 0.6)
        pillows = both(square((50 - inner + 9.5, seat - 8.6), 9.5, 8.6))
        for pillow in pillows[: 2 if look.has("pillow", "two") and seats > 1 else 1]:
            canvas.shade(moved(pillow, 1, 1.4), None, 0.3, blur=1.2)
            canvas.fill(pillow, cloth, STUFFED, angle=8)


def _arms(canvas: Canvas, look: Look, half: float, arm: float, top: float, base: float) -> None:
    if look.has("arms", "round"):
        shape = [
            *curve(
                (50 - half + arm, top + 4),
                (50 - half + arm - 1, top - 0.6),
                (50 - half + arm / 2 - 1, top - 2),
                (50 - half - 2, top + 0.4),
                (50 - half - 2, top + 6),
                (50 - half, top + 8),
            ),
            (50 - half, base),
            (50 - half + arm, base),
        ]
    else:
        shape = rounded(50 - half - 0.6, top, 50 - half + arm, base, 2)
    for side in both(shape):
        canvas.shade(moved(side, 0.6, 1), None, 0.2, blur=1.4)
        canvas.fill(side, look.paint, PADDED)
    if look.has("arms", "round"):
        for roll in both(ellipse((50 - half + arm / 2 - 1, top + 3.4), arm / 2 - 0.8, 3.2)):
            canvas.line(roll, darker(look.base, 0.4), 0.5, strength=0.7)
