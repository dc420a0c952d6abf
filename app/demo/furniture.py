"""What chairs and sofas have in common: woods, legs, stuffing and the dimples in it."""

from types import MappingProxyType

from app.demo.canvas import Canvas, Region
from app.demo.geometry import Point, band, ellipse
from app.demo.light import FLAT, WOOD, Light
from app.demo.palette import OAK, STEEL, WALNUT, Colour, darker

WOODS: MappingProxyType[str, Colour] = MappingProxyType(
    {"oak": OAK, "walnut": WALNUT, "black": (60, 58, 60), "steel": STEEL}
)
STUFFED = Light(depth=6, shine=0.3, dark=0.5, edge=0.25, grain=0.07)


def leg(canvas: Canvas, top: Point, foot: Point, colour: Colour, widths: tuple[float, float] = (3.2, 2.0)) -> None:
    """Draw a leg that tapers."""
    canvas.fill(band([top, foot], widths), colour, WOOD)


def tuft(canvas: Canvas, at: Point, colour: Colour, within: Region) -> None:
    """Draw a covered button, and how it draws the cloth in."""
    canvas.shade(ellipse(at, 2.6, 2.2), within, 0.35, blur=1)
    canvas.fill(ellipse(at, 0.9, 0.9), darker(colour, 0.2), FLAT)
