"""Glasses, clear and dark."""

from types import MappingProxyType

from app.demo.canvas import Canvas
from app.demo.geometry import Outline, both, curve, ellipse, loop, moved, rounded
from app.demo.light import Light
from app.demo.look import Look
from app.demo.palette import METALS, WHITE, Colour, darker, lighter

_LENS = Light(depth=1.2, shine=0.3, dark=0.3)


_TINTS: MappingProxyType[str, Colour] = MappingProxyType(
    {"dark": (52, 50, 56), "brown": (104, 66, 44), "blue": (64, 96, 140), "green": (62, 92, 78)}
)
# The left lens of each frame, from the bridge outwards.
_LENSES: MappingProxyType[str, Outline] = MappingProxyType(
    {
        "round": ellipse((29, 50), 15.5, 15.5),
        "square": rounded(12.5, 38.5, 45, 62.5, 5),
        "aviator": loop((44, 41), (28, 38.5), (13.5, 41.5), (13.5, 53), (24, 65), (37, 64), (44.5, 52), steps=10),
        "cat": loop((44, 43), (30, 40), (14, 37), (8.5, 37.5), (14, 54), (26, 61.5), (39, 59), (45, 51), steps=10),
        "narrow": rounded(12, 43, 45, 58.5, 7),
    }
)


def glasses(canvas: Canvas, look: Look) -> None:
    """Draw glasses, clear or dark, from the front."""
    form = str(look.shape["form"])
    rim = METALS[str(look.shape["metal"])] if look.has("rim", "wire") else look.base
    width = 1.3 if look.has("rim", "wire") else look.measure("width")
    lens = _LENSES[form]
    xs, ys = [x for x, _ in lens], [y for _, y in lens]
    hinge = (min(xs) - 0.4, min(ys) + (max(ys) - min(ys)) * (0.32 if form != "round" else 0.4))
    temple = curve(
        hinge, (hinge[0] - 3.2, hinge[1] - 1.4), (hinge[0] + 2.5, hinge[1] - 9), (hinge[0] + 9, hinge[1] - 16)
    )
    for side in both(temple):
        canvas.line(side, darker(rim, 0.45), max(1.5, width * 0.75))
    _lenses(canvas, look, lens, rim, width)
    inner = max(xs)
    bridge_y = min(ys) + (max(ys) - min(ys)) * 0.36
    bridge = curve((inner - 0.6, bridge_y + 1), (50, bridge_y - 2.6), (100 - inner + 0.6, bridge_y + 1))
    canvas.line(bridge, darker(rim, 0.2), width)
    canvas.line(moved(bridge, 0, -0.5), lighter(rim, 0.3), width * 0.35, strength=0.7)
    if form == "aviator":
        canvas.line([(42, 40.6), (58, 40.6)], darker(rim, 0.1), width)


def _lenses(canvas: Canvas, look: Look, lens: Outline, rim: Colour, width: float) -> None:
    for side in both(lens):
        closed = [*side, side[0], side[1]]
        x, ys = min(a for a, _ in side), [b for _, b in side]
        y, low = min(ys), max(ys)
        if look.has("glass", "clear"):
            canvas.shade(side, None, 0.35, blur=0.1, colour=(226, 238, 244))
        else:
            tint = _TINTS[str(look.shape["glass"])]
            glass = canvas.fill(side, tint, _LENS)
            canvas.shade(
                [(x - 2, low - 9), (x + 36, low - 9), (x + 36, low + 4), (x - 2, low + 4)],
                glass,
                0.35,
                blur=4,
                colour=lighter(tint, 0.6),
            )
        canvas.line(closed, darker(rim, 0.25), width)
        canvas.line(moved(closed, -0.3, -0.4), lighter(rim, 0.25), width * 0.35, strength=0.8)
        canvas.shade(
            [(x + 8, y - 2), (x + 14, y - 2), (x + 8, y + 12), (x + 3, y + 12)], None, 0.25, blur=0.8, colour=WHITE
        )
