"""Dresses: a bodice, a skirt, sleeves or straps."""

from app.demo.bottoms import drape, hem, pleats
from app.demo.canvas import Canvas
from app.demo.geometry import Outline, both, curve, ellipse, flip, mirrored
from app.demo.light import CLOTH, FLAT
from app.demo.look import Look
from app.demo.palette import BRASS, CREASE, darker, thread

_TOP = 8.0


def _neckline(neck: str) -> Outline:
    """Return the left half of a neckline, from the middle up."""
    if neck == "v":
        return curve((50, _TOP + 15), (46, _TOP + 8), (43, _TOP))
    if neck == "square":
        return [(50, _TOP + 10), (42.5, _TOP + 9.6), (41.5, _TOP)]
    if neck == "boat":
        return curve((50, _TOP + 4.4), (44, _TOP + 3.6), (38, _TOP + 0.6))
    return ellipse((50, _TOP + 0.4), 8, 8, 90, 180)


def dress(canvas: Canvas, look: Look) -> None:
    """Draw a dress."""
    waist_y, bottom = _TOP + 33, _TOP + look.measure("length")
    flare = {"fitted": 17.0, "a-line": 27.0, "full": 33.0}[str(look.shape["skirt"])]
    line = _neckline(str(look.shape["neck"]))
    straps = look.has("sleeve", "straps")
    end = line[-1]
    bare = look.has("sleeve", "none", "straps")
    tip = (end[0] - (2.6 if straps else 5 if bare else 9), _TOP + (0.4 if bare else 2.6))
    pit = (50 - 16.5, _TOP + 21)
    bodice = [
        *line,
        *curve(end, tip),
        *curve(tip, ((tip[0] + 3) if bare else tip[0] + 1, _TOP + 13), pit),
        *curve(pit, (50 - 14.4, waist_y - 5), (50 - 13, waist_y)),
        *curve((50 - 13, waist_y), (50, waist_y + 1.6)),
    ]
    body = [
        (50, waist_y - 0.5),
        (50 - 13, waist_y - 0.5),
        *curve(
            (50 - 13, waist_y - 0.5),
            (50 - (17 if flare < 20 else 13 + flare * 0.22), waist_y + 15),
            (50 - flare, bottom),
        ),
        *hem(flare, bottom, 6 if flare > 20 else 0),
    ]
    if not straps:
        back = [*ellipse((50, end[1]), 50 - end[0], 1.2, 180, 360, steps=12), *flip(line)[::-1], *line]
        canvas.fill(back, darker(look.base, 0.45))
    if not bare:
        _sleeves(canvas, look, tip, pit)
    skirt = canvas.fill(mirrored(body), look.paint, CLOTH)
    if look.has("skirt", "full"):
        pleats(canvas, skirt, (13, waist_y), (flare, bottom), 9)
    else:
        drape(canvas, look, skirt, (13, waist_y), (flare, bottom), strength=0.24 if flare > 20 else 0.12)
    top = canvas.fill(mirrored(bodice), look.paint, CLOTH)
    for dart in both(curve((41, waist_y), (41.6, waist_y - 7), (41.2, waist_y - 12))):
        canvas.line(dart, CREASE, 0.9, within=top, strength=0.35, blur=0.5)
    for rim in both(line):
        canvas.line(rim, darker(look.base, 0.25), 0.8)
    _waist(canvas, look, waist_y)
    if look.has("waist", "buttons"):
        for index in range(5):
            canvas.fill(ellipse((50, _TOP + 16 + index * 4.4), 0.9, 0.9), look.trim, FLAT)


def _sleeves(canvas: Canvas, look: Look, tip: tuple[float, float], pit: tuple[float, float]) -> None:
    (sx, sy), (px, py) = tip, pit
    if look.has("sleeve", "long"):
        outline = [
            *curve((sx + 3, sy - 1), (sx - 3, sy + 8), (sx - 10, sy + 30), (sx - 14, sy + 46)),
            *curve((sx - 14, sy + 46), (sx - 6, sy + 48)),
            *curve((sx - 6, sy + 48), (px - 1, py + 14), (px + 2, py)),
            (px + 4, py - 8),
        ]
        turn = 14.0
    elif look.has("sleeve", "puff"):
        outline = [
            *curve((sx + 3, sy - 1), (sx - 6, sy + 1), (sx - 11, sy + 10), (sx - 8, sy + 19)),
            *curve((sx - 8, sy + 19), (px + 1, py + 1)),
            (px + 4, py - 8),
        ]
        turn = 30.0
    else:
        outline = [
            *curve((sx + 3, sy - 1), (sx - 5, sy + 6), (sx - 11, sy + 17)),
            *curve((sx - 11, sy + 17), (px - 1, py + 2)),
            (px + 4, py - 8),
        ]
        turn = 36.0
    folds = both(curve((px + 2, py - 5), (px - 3, py - 4), (px - 6, py - 7)))
    for side, fold, angle in zip(both(outline), folds, (turn, -turn), strict=True):
        region = canvas.fill(side, look.paint, CLOTH, angle=angle)
        canvas.line(fold, CREASE, 1.2, within=region, strength=0.28, blur=0.8)


def _waist(canvas: Canvas, look: Look, y: float) -> None:
    belt = [
        *curve((50 - 13.3, y - 1.6), (50, y - 0.2), (50 + 13.3, y - 1.6)),
        *curve((50 + 13.3, y + 1.9), (50, y + 3.3), (50 - 13.3, y + 1.9)),
    ]
    if look.has("waist", "belt"):
        canvas.fill(belt, darker(look.trim, 0.1), FLAT)
        canvas.line([(47.6, y - 1), (52.4, y - 1), (52.4, y + 3.6), (47.6, y + 3.6), (47.6, y - 1)], BRASS, 0.8)
    elif look.has("waist", "bow"):
        canvas.fill(belt, look.trim, FLAT)
        wing = curve((44, y + 1), (39.5, y - 2.2), (38.6, y + 3.6), (44, y + 1.6))
        tail = [(44, y + 1), (41.5, y + 12), (44.2, y + 11.4), (45, y + 1)]
        for part in (tail, wing):
            canvas.fill(part, look.trim, CLOTH)
            canvas.fill(flip(part, 44), look.trim, CLOTH)
        canvas.fill(ellipse((44, y + 1.2), 1.3, 1.5), darker(look.trim, 0.1), FLAT)
    else:
        canvas.line(curve((50 - 13, y), (50, y + 1.5), (50 + 13, y)), thread(look.base), 0.4, strength=0.6)
