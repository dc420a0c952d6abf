"""Boots, seen from the side, their toes to the left: Chelsea, laced, rubber and heeled ones."""

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, curve, ellipse, moved
from app.demo.light import FLAT, HIDE, METAL, RUBBER
from app.demo.look import Look
from app.demo.palette import BRASS, CREASE, WHITE, darker, lighter


def boot(canvas: Canvas, look: Look) -> None:
    """Draw a boot: a Chelsea boot, a laced one, a rubber boot or one with a heel."""
    top = look.measure("shaft")
    kind = str(look.shape["make"])
    heeled, rubber = kind == "heeled", kind == "wellington"
    lift = 9.0 if heeled else 0.0
    foot = 66 - lift
    front = curve(
        (55, top),
        (55.5, 42),
        (54, 49 - lift * 0.3),
        (47, 54 - lift * 0.3),
        (34, 56.5),
        (21, 58.5),
        (14, 63.5),
        (14, 70),
    )
    back = curve((86, foot + 3.5), (86.6, foot - 4), (84, 50 - lift), (84.5, 38), (86, top))
    canvas.fill([*ellipse((70.5, top + 0.4), 15.4, 2.0)], darker(look.base, 0.6), FLAT)
    upper = _boot_upper(front, back, top, foot, heeled)
    body = canvas.fill(upper, look.paint, RUBBER if rubber else HIDE)
    canvas.line(
        curve((61, top + 5), (60, 45), (57, 56)), WHITE, 3, within=body, strength=0.16 if not rubber else 0.34, blur=1.6
    )
    for dy in (0, 4):
        canvas.line(
            curve((54, 48 + dy - lift * 0.3), (60, 50 + dy), (66, 49 + dy)),
            CREASE,
            1.1,
            within=body,
            strength=0.28,
            blur=0.7,
        )
    _boot_sole(canvas, look, kind, foot)
    if kind == "chelsea":
        panel = [*curve((65, top), (65.5, top + 14), (68, 54)), *curve((68, 54), (74, 54), (77, top))]
        region = canvas.fill(panel, darker(look.base, 0.5), FLAT)
        for x in range(65, 78, 1):
            canvas.line([(x, top), (x, 56)], darker(look.base, 0.8), 0.4, within=region, strength=0.6)
        canvas.line([(84.2, top + 5), (88, top - 3.5), (85, top - 3.6), (82.5, top + 5)], darker(look.base, 0.3), 1.3)
    elif kind == "laced":
        _boot_laces(canvas, look, top)
    elif rubber:
        canvas.fill(
            curve((54.6, top - 0.6), (70, top + 1.6), (86.2, top - 0.6))
            + curve((86.2, top + 3), (70, top + 5), (54.6, top + 3)),
            look.trim,
            RUBBER,
        )
    else:
        canvas.line(
            curve((81.5, top + 2), (80, 44), (82, foot)), darker(look.base, 0.5), 0.5, within=body, strength=0.7
        )
        canvas.fill([(76.6, top + 5), (77.8, top + 5), (78, top + 17), (76.8, top + 17)], BRASS, METAL)


def _boot_upper(front: Outline, back: Outline, top: float, foot: float, heeled: bool) -> Outline:
    base = curve((14, 70), (30, 70.5), (42, 69), (60, 63), (86, foot + 3.5)) if heeled else [(14, 70), (86, 69.5)]
    return [*front, *base, *back, *curve((86, top), (70, top + 2), (55, top))]


def _boot_sole(canvas: Canvas, look: Look, kind: str, foot: float) -> None:
    tone = darker(look.base, 0.65) if kind != "wellington" else darker(look.trim, 0.15)
    if kind == "heeled":
        canvas.fill(
            [
                *curve((12.6, 68.5), (13, 71.6), (30, 72.2), (42, 71)),
                *curve((42, 71), (60, 65), (87, foot + 5)),
                *curve((87, foot + 3), (60, 62.6), (42, 68.8), (30, 70), (12.6, 68.5)),
            ],
            tone,
            RUBBER,
        )
        canvas.fill(
            [
                (71, foot + 4),
                (87, foot + 3.6),
                *curve((87, foot + 3.6), (85.4, 67), (85.6, 73)),
                (75.6, 73),
                *curve((75.6, 73), (75.4, 67), (71, foot + 4)),
            ],
            tone,
            HIDE,
        )
        return
    sole = [
        *curve((12, 69), (11.6, 72), (14, 73)),
        (44, 73),
        *curve((44, 73), (46, 71.6), (58, 71.6), (61, 73)),
        (87.5, 73),
        *curve((87.5, 73), (88.4, 71), (87.6, 68)),
        *curve((87.6, 68), (50, 69.6), (12, 69)),
    ]
    region = canvas.fill(sole, tone, RUBBER)
    if kind in ("laced", "wellington"):
        for x in range(14, 88, 3):
            canvas.line([(x, 71.8), (x, 74)], darker(tone, 0.6), 0.9, within=region, strength=0.7)
    if kind == "laced":
        canvas.line(curve((13, 69.2), (50, 69.4), (87, 68.4)), (214, 170, 92), 0.5, dash=0.9)


def _boot_laces(canvas: Canvas, look: Look, top: float) -> None:
    lace = look.trim
    rows = 5 if top > 30 else 7
    for index in range(rows):
        y = top + 3.4 + index * (52 - top) / rows
        x = 56.0 - (0.0 if index < rows - 1 else 1.4)
        canvas.dot((x + 4.4, y + 1.4), 0.95, BRASS)
        canvas.line(curve((x - 1.4, y - 0.4), (x + 2, y + 0.2), (x + 4.4, y + 1.4)), darker(lace, 0.5), 1.7)
        canvas.line(curve((x - 1.4, y - 0.6), (x + 2, y), (x + 4.4, y + 1.2)), lace, 1.2)
    for wing in (
        curve((57, top + 5), (50, top + 3), (49.4, top + 8.6), (57, top + 5)),
        curve((57, top + 5), (53, top + 12), (50.6, top + 15)),
    ):
        canvas.line(wing, lace, 1.1)
    seam = curve((64, top + 2), (63, 50), (52, 61), (40, 66.5))
    canvas.line(seam, darker(look.base, 0.5), 0.5, strength=0.7)
    canvas.line(moved(seam, 0.9, 0), lighter(look.base, 0.3), 0.28, dash=0.9)
