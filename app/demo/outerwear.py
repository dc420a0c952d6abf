"""Jackets with a zip, and coats with lapels and buttons."""

from app.demo.canvas import Canvas, Region
from app.demo.geometry import both, curve, mirrored, moved, rounded
from app.demo.light import CLOTH, FLAT, KNIT, METAL
from app.demo.look import Look
from app.demo.palette import IVORY, STEEL, darker
from app.demo.patterns import Paint
from app.demo.sewing import button, ribbed, ribbed_cuffs
from app.demo.torso import Cut, torso


def jacket(canvas: Canvas, look: Look) -> None:
    """Draw a jacket with a zip, or a coat with lapels and buttons."""
    coat = look.has("cut", "coat")
    length = look.measure("length") * (1.12 if coat else 0.98)
    cut = Cut(
        top=12 if coat else 15,
        neck=8,
        drop=6,
        shoulder=23,
        chest=23.5,
        waist=22 if coat else 23.5,
        hem=25 if coat else 22.5,
        length=length,
    )
    front = torso(canvas, look, cut, "long", KNIT if coat else CLOTH)
    if coat:
        _coat_front(canvas, look, cut, front)
    else:
        _zip_front(canvas, look, cut, front)


def _coat_front(canvas: Canvas, look: Look, cut: Cut, front: Region) -> None:
    top = cut.top
    shadow = darker(look.base, 0.6)
    canvas.fill(
        [(43, top - 0.5), (57, top - 0.5), (51.5, top + 27), (48, top + 27)],
        IVORY if sum(look.base) < 560 else (120, 122, 130),
        FLAT,
    )
    canvas.line(curve((51.5, top + 26), (52, top + 40), (52, cut.bottom + 1)), shadow, 0.5, within=front, strength=0.8)
    lapel = [
        (43.2, top - 1.5),
        *curve((43.2, top - 1.5), (38, top + 3), (36.5, top + 8)),
        (39.5, top + 10),
        (36.5, top + 12),
        *curve((36.5, top + 12), (43, top + 21), (50.5, top + 28)),
        *curve((50.5, top + 28), (46.6, top + 15), (43.2, top - 1.5)),
    ]
    for side in both(lapel):
        canvas.shade(moved(side, 0, 1), front, 0.25, blur=1)
        canvas.fill(side, look.paint, CLOTH, angle=20)
    for row in range(3):
        for x in (45.5, 56.5) if look.has("front", "double") else (49.4,):
            button(canvas, (x, top + 33 + row * 9), 1.25, darker(look.base, 0.5))
    for side in both(rounded(30.5, top + 50, 41, top + 53.4, 0.6)):
        canvas.fill(side, look.paint, FLAT)


def _zip_front(canvas: Canvas, look: Look, cut: Cut, front: Region) -> None:
    rib = Paint(look.trim if look.has("front", "double") else darker(look.base, 0.35), look.trim)
    canvas.line([(50, 22), (50, cut.bottom)], darker(look.base, 0.6), 1.5, within=front, strength=0.9)
    canvas.line([(50, 22), (50, cut.bottom)], STEEL, 0.7, within=front, dash=0.9)
    ribbed(canvas, rounded(50 - cut.hem - 0.5, cut.bottom - 5, 50 + cut.hem + 0.5, cut.bottom + 1.4, 1), rib)
    ribbed_cuffs(canvas, cut, rib)
    ribbed(canvas, mirrored([*curve((50, 24), (43, 21), (40, 15)), *curve((42, 12.5), (45, 17.5), (50, 19.5))]), rib)
    canvas.fill(rounded(49.2, 24, 50.8, 28.5, 0.6), STEEL, METAL)
    for slit in both([(34, 60), (38.5, 70)]):
        canvas.line(slit, darker(look.base, 0.6), 1.1, within=front)
        canvas.line(slit, STEEL, 0.4, within=front, dash=0.8)
