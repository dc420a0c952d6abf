"""Cloth: a colour, a second one, and a pattern that is drawn with both."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, radians, sin
from types import MappingProxyType

from PIL import Image, ImageDraw

from app.demo.chance import dice
from app.demo.geometry import Outline, Point, ellipse, petals
from app.demo.palette import Colour, blend, darker, lighter

_SUPERSAMPLING = 3
# Half the diagonal of the page, and a little.
_REACH = 76.0


class Sheet:
    """A piece of cloth to draw on, larger than it will be: x and y in units, turned with the cloth.

    They count from the middle of the page (`origin`, in pixels from the piece's corner), not of the piece, so that
    the pattern runs on from one piece to the next.
    """

    def __init__(self, size: tuple[int, int], unit: float, angle: float, origin: Point, ground: Colour) -> None:
        self._pixels = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
        self._origin = (origin[0] * _SUPERSAMPLING, origin[1] * _SUPERSAMPLING)
        self._unit = unit * _SUPERSAMPLING
        self._cos, self._sin = cos(radians(angle)), sin(radians(angle))
        self._image = Image.new("RGB", self._pixels, ground)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self.reach = _REACH

    def area(self, outline: Outline, colour: Colour, strength: float = 1) -> None:
        """Draw a shape, translucent if `strength` is below 1, so that woven bands mix where they cross."""
        self._draw.polygon([self._placed(point) for point in outline], fill=(*colour, round(255 * strength)))

    def shows(self, place: Point, radius: float) -> bool:
        """Whether something at this place would be seen on this piece."""
        (x, y), margin = self._placed(place), radius * self._unit
        return -margin < x < self._pixels[0] + margin and -margin < y < self._pixels[1] + margin

    def across(self, y: float, height: float, colour: Colour, strength: float = 1) -> None:
        """Draw a band from side to side."""
        r = self.reach
        self.area([(-r, y), (r, y), (r, y + height), (-r, y + height)], colour, strength)

    def down(self, x: float, width: float, colour: Colour, strength: float = 1) -> None:
        """Draw a band from top to bottom."""
        r = self.reach
        self.area([(x, -r), (x + width, -r), (x + width, r), (x, r)], colour, strength)

    def steps(self, pitch: float) -> list[float]:
        """Return the places of something repeated, from one side to the other, one of them in the middle."""
        count = int(self.reach / pitch) + 1
        return [index * pitch for index in range(-count, count + 1)]

    def grid(self, pitch: float) -> list[Point]:
        """Return places in rows, every other row moved by half a step."""
        rows = self.steps(pitch * 0.87)
        return [(x + (pitch / 2 if row % 2 else 0), y) for row, y in enumerate(rows) for x in self.steps(pitch)]

    def _placed(self, point: Point) -> Point:
        x, y = point
        return (
            self._origin[0] + (x * self._cos - y * self._sin) * self._unit,
            self._origin[1] + (x * self._sin + y * self._cos) * self._unit,
        )

    def finished(self) -> Image.Image:
        """Return the cloth at its size."""
        return self._image.reduce(_SUPERSAMPLING)


@dataclass(frozen=True, slots=True)
class Paint:
    """What a shape is painted with; `scale` makes the pattern larger, `seed` scatters what is scattered."""

    base: Colour
    accent: Colour
    pattern: str = "plain"
    scale: float = 1
    seed: str = ""

    def cloth(self, size: tuple[int, int], unit: float, angle: float, origin: Point) -> Image.Image:
        """Return a piece of this cloth; `origin` is where, from the piece's corner, the middle of the page lies."""
        if self.pattern == "plain":
            return Image.new("RGB", size, self.base)
        sheet = Sheet(size, unit * self.scale, angle, origin, self.base)
        PATTERNS[self.pattern](sheet, self)
        return sheet.finished()

    def without_pattern(self) -> "Paint":
        """Return the same cloth, plain."""
        return replace(self, pattern="plain")


def plain(colour: Colour) -> Paint:
    """Return a paint of one colour."""
    return Paint(colour, colour)


def _striped(sheet: Sheet, paint: Paint) -> None:
    for y in sheet.steps(7):
        sheet.across(y, 3, paint.accent)


def _pinstriped(sheet: Sheet, paint: Paint) -> None:
    for x in sheet.steps(4):
        sheet.down(x - 0.5, 1, paint.accent, 0.85)


def _checked(sheet: Sheet, paint: Paint) -> None:
    for at in sheet.steps(6):
        sheet.across(at, 3, paint.accent, 0.55)
        sheet.down(at, 3, paint.accent, 0.55)


def _tartan(sheet: Sheet, paint: Paint) -> None:
    bands = ((0, 5, darker(paint.base, 0.55), 0.5), (6.2, 0.8, paint.accent, 0.85), (8.6, 2, paint.accent, 0.4))
    for at in sheet.steps(12):
        for offset, width, colour, strength in bands:
            sheet.across(at + offset, width, colour, strength)
            sheet.down(at + offset, width, colour, strength)


def _dotted(sheet: Sheet, paint: Paint) -> None:
    for place in sheet.grid(6):
        if sheet.shows(place, 1.35):
            sheet.area(ellipse(place, 1.35, 1.35, steps=14), paint.accent)


def _floral(sheet: Sheet, paint: Paint) -> None:
    chance = dice("floral", paint.seed)
    leaf = blend(darker(paint.base, 0.35), (60, 120, 70), 0.55)
    heart = (238, 190, 70) if sum(paint.accent) < 660 else (222, 140, 60)
    for x, y in sheet.grid(9):
        centre = (x + chance.uniform(-1.4, 1.4), y + chance.uniform(-1.4, 1.4))
        turn, radius = chance.uniform(0, 6.3), chance.uniform(1.2, 1.9)
        if not sheet.shows(centre, 6):
            continue
        for side in petals(centre, radius * 2.1, 3, turn):
            sheet.area(ellipse(side, radius * 0.55, radius * 0.55, steps=14), leaf)
        for petal in petals(centre, radius, 5, turn):
            sheet.area(ellipse(petal, radius * 0.78, radius * 0.78, steps=14), paint.accent)
        sheet.area(ellipse(centre, radius * 0.6, radius * 0.6, steps=14), heart)


def _gradient(sheet: Sheet, paint: Paint) -> None:
    for step in range(61):
        y = step - 30.0
        sheet.across(y, sheet.reach, blend(paint.base, paint.accent, step / 60))


def _zigzag(sheet: Sheet, paint: Paint) -> None:
    for y in sheet.steps(7):
        xs = sheet.steps(3.5)
        top = [(x, y + (1.8 if index % 2 else -1.8)) for index, x in enumerate(xs)]
        sheet.area(top + [(x, v + 2.6) for x, v in reversed(top)], paint.accent)


def _camouflage(sheet: Sheet, paint: Paint) -> None:
    chance = dice("camouflage", paint.seed)
    tones = (darker(paint.base, 0.45), blend(paint.base, paint.accent, 0.5), lighter(paint.base, 0.25))
    for tone in tones:
        for x, y in sheet.grid(11):
            cx, cy = x + chance.uniform(-4, 4), y + chance.uniform(-4, 4)
            for _ in range(3):
                at = (cx + chance.uniform(-2.5, 2.5), cy + chance.uniform(-1.2, 1.2))
                rx, ry = chance.uniform(1.5, 3.2), chance.uniform(0.8, 1.7)
                if sheet.shows(at, rx):
                    sheet.area(ellipse(at, rx, ry, steps=14), tone)


PATTERNS: MappingProxyType[str, Callable[[Sheet, Paint], None]] = MappingProxyType(
    {
        "striped": _striped,
        "pinstriped": _pinstriped,
        "checked": _checked,
        "tartan": _tartan,
        "dotted": _dotted,
        "floral": _floral,
        "gradient": _gradient,
        "zigzag": _zigzag,
        "camouflage": _camouflage,
    }
)
