"""How light falls on a shape: from the upper left, on cloth, leather, china or metal."""

from dataclasses import dataclass
from functools import cache
from math import pi, sin

from PIL import Image, ImageChops, ImageFilter

from app.demo.chance import dice


@dataclass(frozen=True, slots=True)
class Light:
    """What a material does with the light.

    `depth` is how far, in units of the page, the roundness reaches in from the edge; `shine` and `dark` how strong it
    is on the lit and on the other side; `edge` darkens all around; `round` bends the whole shape like a column
    (1: darkest at both sides); `fall` darkens downwards; `grain` roughens the surface.
    """

    depth: float = 0
    shine: float = 0
    dark: float = 0
    edge: float = 0
    round: float = 0
    fall: float = 0
    grain: float = 0


PLAIN = Light()
FLAT = Light(depth=0.8, shine=0.15, dark=0.2, grain=0.03)
CLOTH = Light(depth=3.2, shine=0.22, dark=0.38, edge=0.22, fall=0.08, grain=0.05)
KNIT = Light(depth=3.8, shine=0.2, dark=0.42, edge=0.28, fall=0.08, grain=0.1)
HIDE = Light(depth=2.4, shine=0.38, dark=0.45, edge=0.2, fall=0.12, grain=0.05)
RUBBER = Light(depth=1.2, shine=0.2, dark=0.4, edge=0.15, fall=0.1)
PADDED = Light(depth=5, shine=0.3, dark=0.5, edge=0.3, fall=0.12, grain=0.07)
CHINA = Light(depth=1.5, shine=0.35, dark=0.25, round=0.55)
SHADE = Light(depth=1, shine=0.1, dark=0.12, round=0.25, grain=0.05)
WOOD = Light(depth=0.9, shine=0.3, dark=0.45, fall=0.1, grain=0.06)
METAL = Light(depth=0.8, shine=0.6, dark=0.55)


def lit(cloth: Image.Image, mask: Image.Image, light: Light, unit: float) -> Image.Image:
    """Return a piece of cloth with the light of a shape on it; `unit` is the size of a unit of the page in pixels."""
    shadow = Image.new("L", mask.size, 255)
    if light.depth:
        cloth, shadow = _embossed(cloth, mask, light, light.depth * unit)
    if light.round:
        shadow = ImageChops.multiply(shadow, _column(light.round).resize(mask.size, Image.Resampling.BILINEAR))
    if light.fall:
        shadow = ImageChops.multiply(shadow, _slope(light.fall).resize(mask.size, Image.Resampling.BILINEAR))
    if light.grain:
        shadow = ImageChops.multiply(shadow, _grain(light.grain, mask.size))
    return ImageChops.multiply(cloth, Image.merge("RGB", (shadow, shadow, shadow)))


def _embossed(cloth: Image.Image, mask: Image.Image, light: Light, reach: float) -> tuple[Image.Image, Image.Image]:
    """Return the cloth with the light on its upper left edges, and the shadow on the others."""
    pad = round(2 * reach) + 2
    width, height = mask.size
    field = Image.new("L", (width + 2 * pad, height + 2 * pad))
    field.paste(mask, (pad, pad))
    soft = field.filter(ImageFilter.GaussianBlur(reach))
    step = max(1, round(reach * 0.6))
    # Towards the light the blurred shape falls off on one side, away from it on the other: the difference is a slope.
    near, far = ImageChops.offset(soft, -step, -step), ImageChops.offset(soft, step, step)
    inner = (pad, pad, pad + width, pad + height)
    gleam = ImageChops.subtract(near, far).crop(inner).point(_scaled(light.shine))
    dark = ImageChops.subtract(far, near).crop(inner).point(_scaled(light.dark))
    rim = ImageChops.invert(soft).crop(inner).point(_scaled(light.edge))
    bright = ImageChops.screen(cloth, Image.merge("RGB", (gleam, gleam, gleam)))
    return bright, ImageChops.invert(ImageChops.add(dark, rim))


@cache
def _scaled(factor: float) -> list[int]:
    return [min(255, round(value * factor)) for value in range(256)]


@cache
def _column(strength: float) -> Image.Image:
    """Return one row: a round body's brightness from left to right, lightest a third from the left."""
    row = Image.new("L", (64, 1))
    for x in range(64):
        u = (x + 0.5) / 64
        away = abs(u - 0.36) / (0.36 if u < 0.36 else 0.64)
        row.putpixel((x, 0), round(255 * (1 - strength * (1 - (1 - away**2.2) ** 0.5) * (0.75 if u < 0.36 else 1))))
    return row


@cache
def _slope(strength: float) -> Image.Image:
    column = Image.new("L", (1, 16))
    for y in range(16):
        column.putpixel((0, y), round(255 * (1 - strength * sin(pi / 2 * y / 15))))
    return column


@cache
def _noise(strength: float) -> Image.Image:
    """Return a sheet of weave: fine noise, a little longer along the threads than across."""
    side = 512
    raw = Image.frombytes("L", (side, side), dice("weave").randbytes(side * side))
    threads = ImageChops.blend(raw.filter(ImageFilter.BoxBlur(1)), raw, 0.25)
    return threads.point([round(255 - strength * 2 * max(0, 160 - value)) for value in range(256)])


def _grain(strength: float, size: tuple[int, int]) -> Image.Image:
    sheet = _noise(strength)
    return sheet.crop((0, 0, *size)) if max(size) <= sheet.width else sheet.resize(size)
