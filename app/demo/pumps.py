"""Court shoes, seen from the side, their toes to the left."""

from app.demo.canvas import Canvas
from app.demo.geometry import curve, ellipse, loop
from app.demo.light import CLOTH, FLAT, HIDE, METAL, RUBBER
from app.demo.look import Look
from app.demo.palette import BRASS, WHITE, darker


def pump(canvas: Canvas, look: Look) -> None:
    """Draw a court shoe: how high its heel is, and whether it has a strap around the ankle or a bow."""
    rise = look.measure("heel")
    top = 68 - rise
    edge = curve(
        (27, 59.6), (36, 65.4), (50, 63.4 - rise * 0.18), (66, 58.4 - rise * 0.66), (80, top - 8), (86, top - 11)
    )
    canvas.fill(
        [*edge, *curve((86, top - 11), (76, top - 8.4), (62, 55 - rise * 0.5), (42, 59.6), (27, 59.6))],
        darker(look.base, 0.45),
        FLAT,
    )
    if look.has("strap", "ankle"):
        canvas.line(ellipse((76.4, top - 19), 10, 3, 180, 360), darker(look.base, 0.4), 1.6)
    _heel(canvas, look, top)
    sole = [
        *curve((7, 70), (12, 72.8), (30, 73), (40, 71.6)),
        *curve((40, 71.6), (56, 66), (72, top + 5.4)),
        *curve((72, top + 3), (54, 64), (38, 70), (7, 69)),
    ]
    canvas.fill(sole, darker(look.base, 0.6), RUBBER)
    upper = [
        *curve((6.6, 70.4), (11, 66.4), (19, 62), (27, 59.6)),
        *edge,
        *curve((86, top - 11), (90.2, top - 6), (90.4, top + 1), (88.6, top + 4)),
        *curve((88.6, top + 4), (78, top + 5.6), (70, top + 7)),
        *curve((70, top + 7), (55, 67), (40, 71.4), (24, 72), (6.6, 70.4)),
    ]
    body = canvas.fill(upper, look.paint, HIDE)
    canvas.line(curve((13, 67), (20, 63.8), (26, 62.2)), WHITE, 1.6, within=body, strength=0.4, blur=0.7)
    _pump_trim(canvas, look, top)


def _heel(canvas: Canvas, look: Look, top: float) -> None:
    if look.has("make", "block"):
        heel = [
            (70, top + 3),
            (88, top + 1),
            *curve((88, top + 1), (87, 66), (87, 73)),
            (76, 73),
            *curve((76, 73), (76, 66), (70, top + 3)),
        ]
    else:
        heel = [
            *curve((69, top + 5), (80, top + 7), (83.4, 62), (84, 73)),
            (86.6, 73),
            *curve((86.6, 73), (87.2, 62), (90, top)),
        ]
    canvas.fill(heel, darker(look.base, 0.18), HIDE)


def _pump_trim(canvas: Canvas, look: Look, top: float) -> None:
    if look.has("strap", "ankle"):
        canvas.line(curve((87.4, top - 6), (87.8, top - 12), (86.4, top - 19)), darker(look.base, 0.1), 1.8)
        canvas.line(ellipse((76.4, top - 19), 10, 3, 0, 180), look.base, 1.8)
        canvas.fill(ellipse((70.5, top - 16.5), 1.5, 1.5), BRASS, METAL)
    elif look.has("strap", "bow"):
        for wing in ([(26, 59.6), (20.5, 55.2), (19.8, 61.6)], [(27, 60), (33, 56.6), (32.4, 63.6)]):
            canvas.fill(loop(*wing), look.trim, CLOTH)
        canvas.fill(ellipse((26.6, 60), 1.3, 1.4), darker(look.trim, 0.15), FLAT)
