"""Trousers, shorts and skirts: a waistband and what hangs from it."""

from collections.abc import Callable

from app.demo.canvas import Canvas, Region
from app.demo.geometry import Outline, both, curve, ellipse, flip, mirrored, mix, moved, rounded
from app.demo.light import CLOTH, FLAT, METAL
from app.demo.look import Look
from app.demo.palette import BRASS, CREASE, DENIM_THREAD, WHITE, Colour, darker, thread


def trousers(canvas: Canvas, look: Look) -> None:
    """Draw trousers: slim, straight or wide."""
    hem, drift = {"slim": (7.0, 1.0), "straight": (9.0, 2.5), "wide": (13.0, 5.5)}[str(look.shape["leg"])]
    _legs(canvas, look, bottom=92, hem=hem, drift=drift)


def shorts(canvas: Canvas, look: Look) -> None:
    """Draw shorts."""
    _legs(canvas, look, bottom=20 + look.measure("length"), hem=13.5, drift=6, top=20, wide=1.22)


def _legs(
    canvas: Canvas, look: Look, *, bottom: float, hem: float, drift: float, top: float = 9, wide: float = 1
) -> None:
    waist, hip, crotch = 14.5 * wide, 19.5 * wide, top + 30 * (0.6 + 0.4 * wide)
    outer, inner = 50 - 8 * wide - drift - hem, 50 - 8 * wide - drift + hem
    knee = crotch + (bottom - crotch) * 0.45
    leg = [
        (50, top + 4),
        (50 - waist, top + 4),
        *curve(
            (50 - waist, top + 4),
            (50 - hip, top + 20),
            ((50 - hip + outer) / 2, (top + 20 + bottom) / 2),
            (outer, bottom),
        ),
        *curve((outer, bottom), (mix((outer, 0), (inner, 0), 0.5)[0], bottom + 0.8), (inner, bottom)),
        *curve((inner, bottom), (mix((inner, 0), (49.4, 0), 0.45)[0], knee), (49.6, crotch)),
        (50.4, crotch - 8),
    ]
    canvas.fill(ellipse((50, top + 0.6), waist - 0.4, 1.3), darker(look.base, 0.45))
    stitch = DENIM_THREAD if look.has("make", "jeans") else thread(look.base)
    pocket = curve((50 - waist * 0.62, top + 4.5), (50 - waist * 0.72, top + 9), (50 - hip * 0.96, top + 13))
    for side in (_left, flip):
        region = canvas.fill(side(leg), look.paint, CLOTH)
        _leg_folds(canvas, look, region, side, (top, crotch, knee, bottom, (outer + inner) / 2))
        canvas.line(side(pocket), darker(look.base, 0.5), 0.5, within=region, strength=0.8)
        canvas.line(side(moved(pocket, 0.9, 0.9)), stitch, 0.3, within=region, dash=0.9)
        canvas.line(
            side([(outer, bottom - 2.4), (inner, bottom - 2.4)]), stitch, 0.3, within=region, strength=0.8, dash=0.9
        )
    _fly(canvas, look, top, crotch, stitch)
    _waistband(canvas, look, waist, top, stitch)


def _left(outline: Outline) -> Outline:
    return outline


def _leg_folds(
    canvas: Canvas,
    look: Look,
    region: Region,
    side: Callable[[Outline], Outline],
    at: tuple[float, float, float, float, float],
) -> None:
    """Draw the folds of a leg; `at`: how low waist, crotch, knee and hem are, and where the leg's middle is."""
    top, crotch, knee, bottom, middle = at
    for dy, reach in ((-3, 9), (1, 7), (5, 4)):
        fold = curve((49, crotch + dy), (49 - reach * 0.5, crotch + dy - 0.5), (49 - reach, crotch + dy - 3))
        canvas.line(side(fold), CREASE, 1.2, within=region, strength=0.17, blur=1.0)
    if look.has("make", "pleated"):
        crease = curve((50 - 9, top + 8), (50 - 10, crotch), (middle, bottom))
        canvas.line(side(crease), CREASE, 0.8, within=region, strength=0.5, blur=0.4)
        canvas.line(moved(side(crease), -1, 0), WHITE, 1.0, within=region, strength=0.22, blur=0.6)
    elif look.has("make", "jeans"):
        worn = curve((middle + 1, top + 17), (middle + 0.5, knee), (middle, bottom - 12))
        canvas.line(side(worn), WHITE, 6, within=region, strength=0.2, blur=3)
    if bottom - crotch > 25:
        for dy in (0, 4):
            fold = curve((middle + 5, knee + dy), (middle + 1, knee + dy + 1.4), (middle - 3, knee + dy + 0.6))
            canvas.line(side(fold), CREASE, 1.2, within=region, strength=0.17, blur=0.9)


def _fly(canvas: Canvas, look: Look, top: float, crotch: float, stitch: Colour) -> None:
    canvas.line([(50, top + 4), (50, crotch)], darker(look.base, 0.55), 0.5)
    canvas.line(curve((53, top + 5), (53, crotch - 14), (50.3, crotch - 9)), stitch, 0.3, dash=0.9)


def _waistband(canvas: Canvas, look: Look, waist: float, top: float, stitch: Colour) -> None:
    band = [
        *curve((50 - waist - 0.2, top + 0.2), (50, top + 1.6), (50 + waist + 0.2, top + 0.2)),
        *curve((50 + waist + 0.4, top + 4.6), (50, top + 6), (50 - waist - 0.4, top + 4.6)),
    ]
    region = canvas.fill(band, look.paint, FLAT)
    canvas.line(band[17:], stitch, 0.25, within=region, dash=0.9)
    if look.has("make", "cord"):
        for cord in both(curve((50.8, top + 4.2), (52.5, top + 9), (51.6, top + 15))):
            canvas.line(cord, look.trim, 0.8)
        return
    for x in (-0.62, 0.62):
        canvas.fill(rounded(49.3 + x * waist, top - 0.4, 50.7 + x * waist, top + 6.2, 0), look.paint, FLAT)
    canvas.fill(
        ellipse((50.2, top + 3.4), 1.0, 1.0), BRASS if look.has("make", "jeans") else darker(look.base, 0.5), METAL
    )


def skirt(canvas: Canvas, look: Look) -> None:
    """Draw a skirt: pencil, A-line or pleated, short or long."""
    waist, top = 15.0, 15.0
    bottom = top + look.measure("length")
    flare = {"pencil": 18.0, "a-line": 27.0, "pleated": 31.0}[str(look.shape["cut"])] + (bottom - 70) * 0.12
    hip = (18.5, top + 17) if look.has("cut", "pencil") else (15 + flare * 0.22, top + 17)
    half = [
        (50, top + 3),
        (50 - waist, top + 3),
        *curve((50 - waist, top + 3), (50 - hip[0], hip[1]), (50 - flare, bottom - 1)),
        *hem(flare, bottom, 6 if look.has("cut", "a-line") else 0),
    ]
    canvas.fill(ellipse((50, top + 0.2), waist - 0.5, 1.5), darker(look.base, 0.45))
    region = canvas.fill(mirrored(half), look.paint, CLOTH)
    if look.has("cut", "pleated"):
        pleats(canvas, region, (waist, top + 4), (flare, bottom), 11)
    elif look.has("cut", "a-line"):
        drape(canvas, look, region, (waist, top + 4), (flare, bottom))
    else:
        canvas.line([(50 - 9, bottom - 12), (50 - 9.5, bottom + 2)], CREASE, 0.6, within=region, strength=0.7)
        drape(canvas, look, region, (waist, top + 4), (flare, bottom), strength=0.12)
    band = [
        *curve((50 - waist, top), (50, top + 1.6), (50 + waist, top)),
        *curve((50 + waist + 0.6, top + 4), (50, top + 5.8), (50 - waist - 0.6, top + 4)),
    ]
    belted = look.has("waist", "belt")
    belt = canvas.fill(band, look.trim if belted else look.paint.without_pattern(), FLAT)
    if belted:
        canvas.line([(47, top + 1), (53, top + 1), (53, top + 5.6), (47, top + 5.6), (47, top + 1)], BRASS, 0.8)
    else:
        canvas.line(
            [(50 - waist, top + 3.4), (50 + waist, top + 3.4)],
            thread(look.base),
            0.25,
            within=belt,
            strength=0.5,
            dash=0.9,
        )


def hem(width: float, bottom: float, waves: int) -> Outline:
    """Return the left half of a hem, straight or in waves, from the side to the middle."""
    if not waves:
        return curve((50 - width, bottom - 1), (50 - width * 0.5, bottom + 1.4), (50, bottom + 2))
    points = [
        (50 - width * (1 - n / waves), bottom + (1.5 if n % 2 else -0.4) + 1.6 * n / waves) for n in range(waves + 1)
    ]
    return curve(*points, steps=6)


def drape(
    canvas: Canvas,
    look: Look,
    region: Region,
    waist: tuple[float, float],
    low: tuple[float, float],
    strength: float = 0.26,
) -> None:
    """Draw the folds of cloth that hangs from a waist, each with its light side."""
    chance = look.chance("drape")
    count = 8
    for index in range(1, count):
        u = -1 + 2 * index / count + chance.uniform(-0.05, 0.05)
        start = waist[1] + (low[1] - waist[1]) * chance.uniform(0.05, 0.4)
        share = (start - waist[1]) / (low[1] - waist[1])
        x0, x1 = 50 + u * (waist[0] + (low[0] - waist[0]) * share * 0.7), 50 + u * low[0] * 0.97
        path = curve((x0, start), (x0 + (x1 - x0) * 0.4, start + (low[1] - start) * 0.5), (x1, low[1] + 2))
        canvas.line(path, CREASE, 1.8, within=region, strength=strength, blur=1.2)
        canvas.line(moved(path, 2.2, 0), WHITE, 1.6, within=region, strength=strength * 0.7, blur=1.2)


def pleats(canvas: Canvas, region: Region, waist: tuple[float, float], low: tuple[float, float], count: int) -> None:
    """Draw sharp pleats, each darker towards its right edge."""
    for index in range(count + 1):
        u = -1 + 2 * index / count
        path = curve(
            (50 + u * waist[0], waist[1]),
            (50 + u * (waist[0] + (low[0] - waist[0]) * 0.42), (waist[1] + low[1]) / 2),
            (50 + u * low[0], low[1] + 2),
        )
        canvas.line(moved(path, -0.9, 0), CREASE, 1.9, within=region, strength=0.26, blur=0.7)
        canvas.line(path, CREASE, 0.35, within=region, strength=0.5)
        canvas.line(moved(path, 0.9, 0), WHITE, 1.0, within=region, strength=0.22, blur=0.5)
