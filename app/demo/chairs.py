"""Chairs: slatted, upholstered, with a round back; and stools."""

from app.demo.canvas import Canvas
from app.demo.furniture import STUFFED, WOODS, leg, tuft
from app.demo.geometry import Outline, band, curve, ellipse, loop
from app.demo.light import PADDED, WOOD
from app.demo.look import Look
from app.demo.palette import Colour, darker, lighter


def chair(canvas: Canvas, look: Look) -> None:
    """Draw a chair: slatted, with a round back, upholstered, or a stool."""
    wood = WOODS[str(look.shape["wood"])] if look.has("back", "pad", "round", "stool") else look.base
    back = str(look.shape["back"])
    seat = 56.0 if back != "stool" else 38.0
    dark = darker(wood, 0.3)
    for x, foot in ((36, 34), (67, 70)):
        leg(canvas, (x, seat - 2), (foot, 85), dark, (2.8, 1.8))
    if back == "slats":
        _slats(canvas, look, wood, seat)
    elif back in ("pad", "round"):
        _padded_back(canvas, look, wood, seat, back)
    for x, foot in ((29, 25), (73, 78)):
        leg(canvas, (x, seat + 3), (foot, 92), wood)
    if look.has("rungs", "yes") or back == "stool":
        canvas.line([(27.5, seat + 19), (75.5, seat + 19)], darker(wood, 0.15), 1.6)
        canvas.line([(35, seat + 13), (69, seat + 13)], dark, 1.3)
    top: Outline = [
        *curve((32, seat - 5), (50, seat - 6.2), (70, seat - 5)),
        *curve((70, seat - 5), (76, seat), (78.5, seat + 3)),
        *curve((78.5, seat + 3), (52, seat + 4.4), (23.5, seat + 3)),
        *curve((23.5, seat + 3), (27, seat - 1), (32, seat - 5)),
    ]
    edge = [
        (23.5, seat + 2.6),
        *curve((23.5, seat + 2.6), (52, seat + 4), (78.5, seat + 2.6)),
        (78, seat + 6.4),
        *curve((78, seat + 6.4), (52, seat + 7.8), (24, seat + 6.4)),
    ]
    soft = look.has("back", "pad", "round", "stool")
    canvas.fill(edge, darker(look.base, 0.22) if soft else darker(wood, 0.2), PADDED if soft else WOOD)
    canvas.fill(top, look.paint if soft else lighter(wood, 0.06), PADDED if soft else WOOD)


def _slats(canvas: Canvas, look: Look, wood: Colour, seat: float) -> None:
    posts = (((35, seat - 3), (31.5, 12)), ((67.5, seat - 3), (71, 12)))
    for low, high in posts:
        canvas.fill(band([high, low], (2.6, 3.0)), wood, WOOD)
    if look.has("slats", "ladder"):
        for y in (15.0, 25.0, 35.0):
            bar = [*curve((32, y), (51, y - 1.8), (70.5, y)), *curve((70, y + 5), (51, y + 3.2), (32.6, y + 5))]
            canvas.fill(bar, wood, WOOD)
    else:
        for index in range(5):
            x = 39.5 + index * 5.8
            canvas.fill(band([(x - 0.6, 17), (x, seat - 5)], (1.9, 1.9)), wood, WOOD)
        canvas.fill([*curve((30, 11.5), (51, 8.6), (72.6, 11.5)), *curve((72, 19), (51, 16), (30.6, 19))], wood, WOOD)


def _padded_back(canvas: Canvas, look: Look, wood: Colour, seat: float, back: str) -> None:
    for low, high in (((36, seat - 3), (34, 30)), ((67, seat - 3), (69, 30))):
        canvas.fill(band([high, low], (2.4, 2.8)), wood, WOOD)
    if back == "round":
        canvas.fill(ellipse((51.5, 26), 20, 17.5), wood, WOOD)
        canvas.fill(ellipse((51.5, 26), 17.6, 15.2), look.paint, STUFFED)
        return
    pad = canvas.fill(
        loop((32, 14), (51.5, 9.6), (71, 14), (72, 30), (69, 44), (51.5, 46), (34, 44), (31, 30), steps=10),
        look.paint,
        STUFFED,
    )
    for x in (44.5, 58.5):
        for y in (22, 33):
            tuft(canvas, (x, y), look.base, pad)
