"""Handbags, totes and backpacks."""

from app.demo.canvas import Canvas
from app.demo.geometry import band, both, curve, ellipse, mirrored, moved, rounded
from app.demo.light import CLOTH, FLAT, HIDE, METAL, PADDED
from app.demo.look import Look
from app.demo.palette import BRASS, CREASE, LEATHER, STEEL, Colour, darker, thread


def handbag(canvas: Canvas, look: Look) -> None:
    """Draw a handbag: a satchel with a flap, a bag with two handles, or a small round one."""
    form = str(look.shape["form"])
    metal: Colour = BRASS if look.has("metal", "brass") else STEEL
    if form == "round":
        _round_bag(canvas, look, metal)
        return
    top, half_top, half_low, low = (44.0, 24.0, 29.0, 82.0) if form == "satchel" else (46.0, 27.0, 33.0, 84.0)
    handle = darker(look.base, 0.15)
    arch = look.measure("handle")
    path = curve(
        (35, top + 2), (37, top - arch * 0.72), (50, top - arch), (63, top - arch * 0.72), (65, top + 2), steps=12
    )
    canvas.fill(band(moved(path, 1.5, -2), (2.2, 2.2)), darker(handle, 0.4), HIDE)
    body = mirrored(
        [
            (50, top),
            *curve((50, top), (50 - half_top + 4, top), (50 - half_top, top + 3)),
            *curve((50 - half_top, top + 3), (50 - half_low - 0.6, low - 12), (50 - half_low + 2, low - 2)),
            *curve((50 - half_low + 2, low - 2), (36, low + 0.6), (50, low + 0.8)),
        ]
    )
    region = canvas.fill(body, look.paint, HIDE)
    canvas.line(
        [(x * 0.94 + 3, y * 0.94 + 3.8) for x, y in body[9:-9]],
        thread(look.base),
        0.3,
        within=region,
        strength=0.8,
        dash=0.9,
    )
    if form == "satchel":
        flap = mirrored(
            [
                (50, top - 0.8),
                (50 - half_top - 0.6, top - 0.4),
                *curve((50 - half_top - 0.8, top), (50 - half_top - 1.4, top + 12), (42, top + 22), (50, top + 23)),
            ]
        )
        canvas.shade(moved(flap, 0, 1.6), region, 0.35, blur=1.2)
        leaf = canvas.fill(flap, look.paint.without_pattern(), HIDE)
        canvas.line(
            [(x * 0.95 + 2.5, y * 0.95 + top * 0.05 - 0.2) for x, y in flap[2:-2]],
            thread(look.base),
            0.3,
            within=leaf,
            strength=0.8,
            dash=0.9,
        )
        canvas.fill(rounded(47, top + 18.6, 53, top + 26.6, 1.4), metal, METAL)
        canvas.fill(rounded(48.6, top + 20.4, 51.4, top + 24.6, 0.8), darker(metal, 0.35), FLAT)
    else:
        canvas.line(
            curve((50 - half_top, top + 3.6), (50, top + 2), (50 + half_top, top + 3.6)),
            metal,
            0.8,
            within=region,
            dash=0.9,
        )
        for strap in both([(33.6, top + 1), (36.4, top + 1), (36.4, top + 15), (35, top + 17), (33.6, top + 15)]):
            canvas.fill(strap, handle, HIDE)
    canvas.fill(band(path, (2.6, 2.6)), handle, HIDE)
    for x in (35, 65):
        canvas.line(ellipse((x, top + 3), 1.7, 1.9), metal, 0.8)


def _round_bag(canvas: Canvas, look: Look, metal: Colour) -> None:
    strap = curve((29, 52), (34, 20), (50, 10), (66, 20), (71, 52), steps=12)
    canvas.line(strap, darker(look.base, 0.3), 1.6)
    canvas.fill(ellipse((51.5, 62.5), 27, 26), darker(look.base, 0.45), HIDE)
    region = canvas.fill(ellipse((50, 62), 26.5, 25.5), look.paint, PADDED)
    canvas.line(ellipse((50, 62), 24, 23), thread(look.base), 0.3, within=region, strength=0.8, dash=0.9)
    canvas.line(ellipse((50, 61), 25.8, 24.8, 195, 345), metal, 0.8, dash=0.9)
    canvas.fill(rounded(48.8, 40, 51.2, 47, 0.8), metal, METAL)
    for x in (28.4, 71.6):
        canvas.line(ellipse((x, 52), 1.7, 1.9), metal, 0.8)


def tote(canvas: Canvas, look: Look) -> None:
    """Draw a shopping bag of cloth with two long handles."""
    top, low = 40.0, 88.0
    handle: Colour = LEATHER if look.has("handles", "leather") else darker(look.base, 0.1)
    arch = look.measure("handle")
    far = curve(
        (38, top + 2), (40, top - arch * 0.8), (50, top - arch - 2), (61, top - arch * 0.8), (63, top + 2), steps=12
    )
    canvas.fill(band(far, (2.6, 2.6)), darker(handle, 0.4), FLAT)
    canvas.fill(ellipse((50, top + 0.4), 26, 1.6), darker(look.base, 0.5))
    body = mirrored(
        [
            *curve((50, top + 1), (36, top + 0.6), (23, top)),
            *curve((23, top), (22, 66), (24, low - 1)),
            *curve((24, low - 1), (36, low + 0.6), (50, low + 0.4)),
        ]
    )
    region = canvas.fill(body, look.paint, CLOTH)
    for x, lean in ((30, 2), (44, -1.5), (57, 2), (69, -2)):
        canvas.line(
            curve((x, 62), (x + lean, 73), (x + lean * 2, low)), CREASE, 2, within=region, strength=0.16, blur=1.4
        )
    canvas.line(
        curve((23, top + 4), (50, top + 5), (77, top + 4)),
        thread(look.base),
        0.3,
        within=region,
        strength=0.8,
        dash=0.9,
    )
    if look.has("print", "disc") and look.pattern == "plain":
        canvas.fill(ellipse((50, 66), 11, 11), look.trim)
        canvas.fill(mirrored([*curve((50, 58), (45.6, 63), (47, 70), (50, 74))]), look.base)
    near = curve(
        (36, top + 8), (37, top - arch * 0.62), (50, top - arch + 2), (63, top - arch * 0.62), (64, top + 8), steps=12
    )
    canvas.fill(band(near, (2.9, 2.9)), handle, FLAT)
    for x in (36, 64):
        patch = canvas.fill(rounded(x - 1.8, top + 1.4, x + 1.8, top + 9, 0.4), handle, FLAT)
        canvas.line([(x - 1.2, top + 5), (x + 1.2, top + 8.4)], thread(handle), 0.3, within=patch)
        canvas.line([(x + 1.2, top + 5), (x - 1.2, top + 8.4)], thread(handle), 0.3, within=patch)


def backpack(canvas: Canvas, look: Look) -> None:
    """Draw a backpack from the front, a school one or one with a flap and straps."""
    top = 20.0
    for strap in both([*curve((27, 36), (18.5, 48), (20.5, 72)), *curve((23, 74), (23.6, 50), (31, 40))]):
        canvas.fill(strap, darker(look.base, 0.35), HIDE)
    canvas.line(
        curve((44, top + 2), (44.6, top - 7), (50, top - 8.6), (55.4, top - 7), (56, top + 2)),
        darker(look.base, 0.3),
        2,
    )
    body = mirrored(
        [
            *curve((50, top), (38, top + 1), (28, top + 12), (25.5, 42), (25, 80)),
            *curve((25, 80), (27, 86), (33, 87), (50, 87.5)),
        ]
    )
    region = canvas.fill(body, look.paint, PADDED)
    flap_made = look.has("form", "flap")
    accent: Colour = LEATHER if look.has("trim", "leather") else look.trim
    if flap_made:
        flap = mirrored(
            [
                *curve((50, top - 0.6), (37, top), (27, top + 11), (25, 40)),
                *curve((25, 40), (25.5, 47), (30, 49)),
                *curve((30, 49), (40, 51), (50, 51.4)),
            ]
        )
        canvas.shade(moved(flap, 0, 2), region, 0.4, blur=1.3)
        canvas.fill(flap, look.paint, PADDED)
    else:
        arc = mirrored(curve((50, top + 6), (39, top + 7), (31.5, top + 17), (30.5, 49)))
        canvas.line(arc, darker(look.base, 0.6), 1.3, within=region)
        canvas.line(arc, STEEL, 0.5, within=region, dash=0.8)
        canvas.fill(rounded(68.3, 47, 70.3, 53, 0.8), STEEL, METAL)
    pocket_top = 56.0
    pocket = mirrored(
        [
            (50, pocket_top),
            *curve((36, pocket_top), (31, pocket_top + 1), (30.5, pocket_top + 6)),
            *curve((30.5, pocket_top + 6), (30, 76), (31.6, 81)),
            *curve((31.6, 81), (40, 82.6), (50, 82.8)),
        ]
    )
    canvas.shade(moved(pocket, 0, 1), region, 0.4, blur=1.2)
    front = canvas.fill(pocket, look.trim if look.has("pocket", "trim") else look.paint, PADDED)
    canvas.line(
        curve((32, pocket_top + 6), (50, pocket_top + 4.6), (68, pocket_top + 6)),
        darker(look.base, 0.6),
        1.1,
        within=front,
    )
    canvas.line(
        curve((32, pocket_top + 6), (50, pocket_top + 4.6), (68, pocket_top + 6)), STEEL, 0.45, within=front, dash=0.8
    )
    if flap_made:
        for x in (39, 61):
            canvas.fill([(x - 1.5, 38), (x + 1.5, 38), (x + 1.5, 62), (x, 64), (x - 1.5, 62)], accent, HIDE)
            canvas.line([(x - 2.2, 50), (x + 2.2, 50), (x + 2.2, 54), (x - 2.2, 54), (x - 2.2, 50)], BRASS, 0.8)
    else:
        canvas.fill(rounded(44, 35, 56, 42, 1), accent, FLAT)
