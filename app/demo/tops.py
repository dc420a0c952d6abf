"""T-shirts and shirts."""

from dataclasses import replace

from app.demo.canvas import Canvas
from app.demo.geometry import curve, flip, moved
from app.demo.light import FLAT
from app.demo.look import Look
from app.demo.palette import IVORY, darker, thread
from app.demo.patterns import Paint
from app.demo.sewing import button, collar_rib, cuffs
from app.demo.torso import Cut, torso


def t_shirt(canvas: Canvas, look: Look) -> None:
    """Draw a T-shirt or a tank top."""
    arms = str(look.shape["sleeve"])
    loose = look.measure("width")
    cut = Cut(
        vee=look.has("neck", "v"),
        drop=15 if look.has("neck", "v") else 8,
        chest=22 * loose,
        waist=21.5 * loose,
        hem=22.5 * loose,
    )
    if arms == "none":
        cut = replace(cut, shoulder=17, neck=11, drop=15)
    front = torso(canvas, look, cut, arms)
    rim = Paint(look.trim if look.has("rib", "trim") else darker(look.base, 0.1), look.trim)
    collar_rib(canvas, cut, rim)
    hem = curve((50 - cut.hem, cut.bottom - 2.6), (50, cut.bottom - 1.6), (50 + cut.hem, cut.bottom - 2.6))
    canvas.line(hem, thread(look.base), 0.3, within=front, strength=0.6, dash=0.9)
    if look.has("pocket", "chest"):
        pocket = [(55, 38), (66, 38), (66, 49), (60.5, 51.5), (55, 49)]
        canvas.fill(pocket, look.paint, FLAT)
        canvas.line([(55, 40), (66, 40)], thread(look.base), 0.3, strength=0.6, dash=0.9)


def shirt(canvas: Canvas, look: Look) -> None:
    """Draw a shirt with a collar and buttons."""
    arms = str(look.shape["sleeve"])
    loose = look.measure("width")
    cut = Cut(neck=7.5, drop=6, chest=22.5 * loose, waist=21 * loose, hem=22 * loose, length=71, tail=5)
    torso(canvas, look, cut, arms)
    seam = thread(look.base)
    placket = canvas.fill(
        [(47.6, 21), (52.4, 21), (52.4, cut.bottom + 0.8), (47.6, cut.bottom + 0.8)], look.paint, FLAT
    )
    for x in (48.2, 51.8):
        canvas.line([(x, 22), (x, cut.bottom)], seam, 0.22, within=placket, strength=0.6)
    tone = IVORY if sum(look.base) < 600 else look.trim
    for index in range(7):
        button(canvas, (50, 26 + index * 9.2), 0.95, tone)
    if arms == "long":
        cuffs(canvas, look, cut)
    if look.has("pocket", "chest"):
        canvas.fill([(56, 38), (66, 38), (66, 48), (61, 50.5), (56, 48)], look.paint, FLAT)
        canvas.line([(56, 40), (66, 40)], seam, 0.3, strength=0.6)
    _collar(canvas, look, cut)


def _collar(canvas: Canvas, look: Look, cut: Cut) -> None:
    top = cut.top
    stand = curve((50 - 7.6, top - 0.6), (50, top - 3), (50 + 7.6, top - 0.6)) + curve(
        (57.6, top + 2), (50, top + 0.4), (42.4, top + 2)
    )
    canvas.fill(stand, darker(look.base, 0.3), FLAT)
    leaf = [
        *curve((42.6, top - 2.2), (40.6, top + 2), (39.4, top + 8)),
        *curve((39.4, top + 8), (42.6, top + 11.6)),
        *curve((42.6, top + 11.6), (46.5, top + 9.5), (50, top + 6.2)),
        *curve((50, top + 6.2), (45, top + 3), (42.6, top - 2.2)),
    ]
    for side, turn in ((leaf, 35.0), (flip(leaf), -35.0)):
        canvas.shade(moved(side, 0, 1), None, 0.22, blur=0.9)
        canvas.fill(side, look.paint, FLAT, angle=turn)
        canvas.line(side[10:30], thread(look.base), 0.22, strength=0.4)
