"""A canvas that draws smooth, shaded shapes: every shape is drawn large as a mask, reduced, lit, and laid on top.

Nothing is drawn at full size twice: a shape works in its own box only, so that a button costs next to nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians, sin

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from app.demo.geometry import MIDDLE, Outline, Point, ellipse
from app.demo.light import PLAIN, Light, lit
from app.demo.palette import INK, Colour
from app.demo.patterns import Paint, plain

Box = tuple[int, int, int, int]

_SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Pose:
    """How a product stands before the camera: turned (degrees), larger, moved, narrower (or seen aslant), mirrored."""

    angle: float = 0
    scale: float = 1
    shift: Point = (0, 0)
    narrow: float = 1
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A shape that was drawn: where, and how much of each pixel it covers."""

    box: Box
    mask: Image.Image


class Canvas:
    """A transparent picture of a product; every point passes through the pose."""

    def __init__(self, size: int, pose: Pose) -> None:
        self.size = size
        self.pose = pose
        self.image = Image.new("RGBA", (size, size))
        self._cos, self._sin = cos(radians(pose.angle)), sin(radians(pose.angle))

    def fill(self, outline: Outline, paint: Paint | Colour, light: Light = PLAIN, *, angle: float = 0) -> Region:
        """Draw a shape; `angle` turns its pattern, as a sleeve turns its cloth."""
        paint = paint if isinstance(paint, Paint) else plain(paint)
        points = self._placed(outline)
        region = Region(box := self._box(points, 2), _polygon(points, box))
        turn = (-angle if self.pose.mirrored else angle) + self.pose.angle
        middle = self._placed([(MIDDLE, MIDDLE)])[0]
        origin = (middle[0] - box[0], middle[1] - box[1])
        cloth = paint.cloth((box[2] - box[0], box[3] - box[1]), self.size * self.pose.scale / 100, turn, origin)
        self._lay(lit(cloth, region.mask, light, self.size / 100), region)
        return region

    def line(
        self,
        path: Outline,
        colour: Colour,
        width: float = 0.5,
        *,
        within: Region | None = None,
        strength: float = 1,
        blur: float = 0,
        dash: float = 0,
    ) -> None:
        """Draw a line: a seam (`dash`: length of a stitch), an edge, or with `blur` a fold in the cloth."""
        points = self._placed(path)
        pixels = width * self.size * self.pose.scale / 100
        soft = blur * self.size / 100
        box = self._box(points, round(pixels + 2 * soft) + 2)
        mask = _stroke(points, box, pixels, dash * self.size / 100)
        if soft:
            mask = mask.filter(ImageFilter.GaussianBlur(soft))
        self._tint(box, mask, colour, strength, within)

    def shade(
        self, outline: Outline, within: Region | None, strength: float = 0.25, *, blur: float = 2, colour: Colour = INK
    ) -> None:
        """Lay a soft shadow (or with a light colour, a gleam) of some shape on what has been drawn."""
        points = self._placed(outline)
        soft = blur * self.size / 100
        box = self._box(points, round(2.5 * soft) + 2)
        mask = _polygon(points, box)
        if soft:
            mask = mask.filter(ImageFilter.GaussianBlur(soft))
        self._tint(box, mask, colour, strength, within)

    def dot(self, centre: Point, radius: float, colour: Colour, *, within: Region | None = None) -> None:
        """Draw a small flat disc: a rivet, an eyelet, a hole."""
        points = self._placed(ellipse(centre, radius, radius))
        box = self._box(points, 2)
        self._tint(box, _polygon(points, box), colour, 1, within)

    def _tint(self, box: Box, mask: Image.Image, colour: Colour, strength: float, within: Region | None) -> None:
        if within:
            inside = Image.new("L", mask.size)
            inside.paste(within.mask, (within.box[0] - box[0], within.box[1] - box[1]))
            mask = ImageChops.multiply(mask, inside)
        if strength < 1:
            mask = mask.point([round(value * strength) for value in range(256)])
        self._lay(Image.new("RGB", mask.size, colour), Region(box, mask))

    def _lay(self, cloth: Image.Image, region: Region) -> None:
        cloth.putalpha(region.mask)
        self.image.alpha_composite(cloth, region.box[:2])

    def _placed(self, outline: Outline) -> Outline:
        pose, unit = self.pose, self.size / 100
        side = -pose.scale * pose.narrow if pose.mirrored else pose.scale * pose.narrow
        placed = []
        for x, y in outline:
            dx, dy = (x - MIDDLE) * side, (y - MIDDLE) * pose.scale
            placed.append(
                (
                    (MIDDLE + pose.shift[0] + dx * self._cos - dy * self._sin) * unit,
                    (MIDDLE + pose.shift[1] + dx * self._sin + dy * self._cos) * unit,
                )
            )
        return placed

    def _box(self, points: Outline, margin: int) -> Box:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top = (min(max(int(min(axis)) - margin, 0), self.size - 1) for axis in (xs, ys))
        right, bottom = (
            max(min(int(max(axis)) + margin + 1, self.size), low + 1) for axis, low in ((xs, left), (ys, top))
        )
        return left, top, right, bottom


def _enlarged(points: Outline, box: Box) -> Outline:
    return [((x - box[0]) * _SUPERSAMPLING, (y - box[1]) * _SUPERSAMPLING) for x, y in points]


def _blank(box: Box) -> Image.Image:
    return Image.new("L", ((box[2] - box[0]) * _SUPERSAMPLING, (box[3] - box[1]) * _SUPERSAMPLING))


def _polygon(points: Outline, box: Box) -> Image.Image:
    large = _blank(box)
    ImageDraw.Draw(large).polygon(_enlarged(points, box), fill=255)
    return large.reduce(_SUPERSAMPLING)


def _stroke(points: Outline, box: Box, width: float, dash: float) -> Image.Image:
    large = _blank(box)
    draw = ImageDraw.Draw(large)
    thick = max(1, round(width * _SUPERSAMPLING))
    for part in _dashes(points, dash) if dash else [points]:
        line = _enlarged(part, box)
        draw.line(line, fill=255, width=thick, joint="curve")
        if not dash:
            for x, y in (line[0], line[-1]):
                draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    return large.reduce(_SUPERSAMPLING)


def _dashes(points: Outline, length: float) -> list[Outline]:
    """Cut a path into stitches of a length with gaps of two thirds of it."""
    steps: Outline = []
    for (ax, ay), (bx, by) in pairwise(points):
        distance = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        count = max(1, round(distance / (length / 3)))
        steps += [(ax + (bx - ax) * n / count, ay + (by - ay) * n / count) for n in range(count)]
    return [steps[at : at + 4] for at in range(0, len(steps) - 3, 5)]
