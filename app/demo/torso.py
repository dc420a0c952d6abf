"""The torso that T-shirts, shirts, jumpers and jackets have in common: a front, the inside of the back, two sleeves."""

from dataclasses import dataclass
from math import cos, radians, sin
from types import MappingProxyType

from app.demo.canvas import Canvas, Region
from app.demo.geometry import Outline, Point, both, curve, ellipse, flip, mirrored, mix, moved
from app.demo.light import CLOTH, Light
from app.demo.look import Look
from app.demo.palette import CREASE, WHITE, darker, thread


@dataclass(frozen=True, slots=True)
class Cut:
    """The measures of a torso, half widths, from the top down."""

    top: float = 15
    neck: float = 9
    drop: float = 8
    vee: bool = False
    shoulder: float = 23
    chest: float = 23
    waist: float = 22
    hem: float = 23.5
    length: float = 70
    tail: float = 0

    @property
    def tip(self) -> Point:
        """Where the left shoulder ends."""
        return 50 - self.shoulder, self.top + 5.5

    @property
    def pit(self) -> Point:
        """The left armpit."""
        return 50 - self.chest, self.top + 27

    @property
    def bottom(self) -> float:
        """The hem."""
        return self.top + self.length

    def neckline(self) -> Outline:
        """Return the left half of the neckline, from the middle up to the shoulder."""
        low, high = (50.0, self.top + self.drop), (50 - self.neck, self.top + 0.6)
        if self.vee:
            return curve(low, (mix(low, high, 0.5)[0] - 0.6, mix(low, high, 0.5)[1] + 0.6), high)
        return ellipse((50, self.top + 0.6), self.neck, self.drop - 0.6, 90, 180)

    def half(self) -> Outline:
        """Return the left half of the front, from the neckline's middle round to the hem's."""
        return [
            *self.neckline(),
            *curve((50 - self.neck, self.top + 0.6), mix((50 - self.neck, self.top), self.tip, 0.55), self.tip),
            *curve(self.tip, (self.tip[0] + 2.2, self.tip[1] + 11), self.pit),
            *curve(
                self.pit, (50 - self.waist, self.top + 0.62 * self.length), (50 - self.hem, self.bottom - self.tail)
            ),
            *curve(
                (50 - self.hem, self.bottom - self.tail),
                (50 - self.hem * 0.55, self.bottom + 0.4),
                (50, self.bottom + 1),
            ),
        ]


# length, slant from the vertical in degrees, width at the cuff
SLEEVES = MappingProxyType(
    {"cap": (9, 50, 17), "short": (21, 36, 15.5), "elbow": (32, 27, 13.5), "long": (60, 15, 9.5)}
)


def sleeve(cut: Cut, kind: str) -> tuple[Outline, Outline, float]:
    """Return the left sleeve, its cuff from the outer to the inner end, and its slant."""
    length, slant, width = SLEEVES[kind]
    down = (-sin(radians(slant)), cos(radians(slant)))
    over = (cos(radians(slant)), sin(radians(slant)))
    (sx, sy), (px, py) = cut.tip, cut.pit
    outer = (sx + down[0] * length, sy + down[1] * length)
    inner = (outer[0] + over[0] * width, outer[1] + over[1] * width)
    middle = (sx + down[0] * length * 0.4 - over[0] * 1.6, sy + down[1] * length * 0.4 - over[1] * 1.6)
    outline = [
        *curve((sx + 4, sy - 1.6), (sx - 0.4, sy + 1), middle, outer),
        *curve(outer, (mix(outer, inner, 0.5)[0], mix(outer, inner, 0.5)[1] + 0.7), inner),
        *curve(inner, (mix(inner, (px, py), 0.5)[0] - over[0], mix(inner, (px, py), 0.5)[1]), (px + 1.5, py - 0.5)),
        (px + 4, py - 12),
    ]
    return outline, [outer, inner], slant


def torso(canvas: Canvas, look: Look, cut: Cut, arms: str, light: Light = CLOTH) -> Region:
    """Draw the inside of the back, the sleeves and the front, with their folds; return the front."""
    cloth = look.paint
    back = ellipse((50, cut.top + 0.6), cut.neck, 1.6, 180, 360) + flip(cut.neckline())[::-1] + cut.neckline()
    canvas.fill(back, darker(cloth.base, 0.42), Light(depth=2, dark=0.3))
    if arms != "none":
        outline, cuff, slant = sleeve(cut, arms)
        for side, hand, turn in ((outline, _same, slant), (flip(outline), flip, -slant)):
            region = canvas.fill(side, cloth, light, angle=turn)
            for fold in _creases(cut, arms):
                canvas.line(hand(fold), CREASE, 1.3, within=region, strength=0.28, blur=0.9)
        if arms != "long":
            for edge in both(cuff):
                raised = moved(edge, 0, -1.7)
                canvas.line(raised, thread(cloth.base), 0.3, strength=0.6, dash=0.9)
    front = canvas.fill(mirrored(cut.half()), cloth, light)
    _folds(canvas, look, front, cut)
    return front


def _same(outline: Outline) -> Outline:
    return outline


def _creases(cut: Cut, arms: str) -> list[Outline]:
    """Return the folds of the left sleeve: from the armpit outwards, and where a long one bends."""
    (px, py), (sx, _) = cut.pit, cut.tip
    folds = [curve((px + 2, py - 5), (px - 2, py - 5), (sx - 4, py - 8))]
    if arms == "long":
        folds += [
            curve((px - 1, py + 12), (px - 5, py + 11), (px - 9, py + 14)),
            curve((px - 2, py + 17), (px - 7, py + 18)),
        ]
    return folds


def _folds(canvas: Canvas, look: Look, front: Region, cut: Cut) -> None:
    """Draw the soft folds of the front: from the armpits, and a few that hang."""
    chance = look.chance("folds")
    px, py = cut.pit
    for fold in both(curve((px, py + 1), (px + 5, py + 5), (px + 8, py + 12 + chance.uniform(-2, 3)))):
        canvas.line(fold, CREASE, 1.5, within=front, strength=0.24, blur=1.1)
    for _ in range(4):
        x, y = 50 + chance.uniform(-0.75, 0.75) * cut.hem, cut.top + cut.length * chance.uniform(0.5, 0.75)
        hang = curve((x, y), (x + chance.uniform(-1, 1), y + 8), (x + chance.uniform(-2.5, 2.5), y + 20))
        canvas.line(hang, CREASE, 1.6, within=front, strength=0.13, blur=1.4)
        canvas.line(moved(hang, 2, 0), WHITE, 1.4, within=front, strength=0.13, blur=1.3)
