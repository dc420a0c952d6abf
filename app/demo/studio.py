"""The studio: backdrops, the shadow under a product, and the finished picture."""

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from app.demo.canvas import Canvas, Pose
from app.demo.palette import Colour, blend, darker, lighter

_SHADOW: Colour = (52, 46, 58)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Paper of a tint, lit from the upper left."""

    tint: Colour


BACKDROPS = MappingProxyType(
    {
        "paper": Backdrop((244, 243, 241)),
        "cool": Backdrop((236, 240, 244)),
        "warm": Backdrop((246, 240, 231)),
        "grey": Backdrop((228, 229, 231)),
        "blush": Backdrop((246, 234, 231)),
        "mint": Backdrop((233, 241, 236)),
    }
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a product touches the floor, in units of the page; a product without ground lies flat or hangs."""

    y: float
    width: float
    x: float = 50


@cache
def _light(size: int, tint: Colour, standing: bool) -> Image.Image:
    """Return the empty studio: a bright spot in the upper left, and for standing things a floor that begins softly."""
    small = 48
    field = Image.new("RGB", (small, small))
    for y in range(small):
        for x in range(small):
            u, v = x / (small - 1), y / (small - 1)
            away = ((u - 0.4) ** 2 + (v - 0.36) ** 2) / 0.75
            colour = blend(lighter(tint, 0.5), darker(tint, 0.09), min(1, away))
            if standing:
                floor = min(1.0, max(0.0, (v - 0.6) / 0.16))
                colour = blend(colour, darker(tint, 0.03 + 0.07 * (1 - v)), floor * 0.75)
            field.putpixel((x, y), colour)
    return field.resize((size, size), Image.Resampling.BICUBIC)


def photograph(canvas: Canvas, backdrop: str, ground: Ground | None) -> Image.Image:
    """Return the product before a backdrop, with its shadow."""
    size = canvas.size
    picture = _light(size, BACKDROPS[backdrop].tint, ground is not None).copy()
    unit = size / 100
    product = canvas.image if ground else _centred(canvas.image, canvas.pose)
    cover = product.getchannel("A")
    if ground:
        _cast(picture, canvas, ground)
        soft = cover.filter(ImageFilter.GaussianBlur(3 * unit)).point([round(v * 0.10) for v in range(256)])
        picture.paste(_SHADOW, mask=soft)
    else:
        for reach, dx, dy, strength in ((3.2, 1.2, 2.4, 0.26), (0.7, 0.4, 0.7, 0.30)):
            soft = cover.filter(ImageFilter.GaussianBlur(reach * unit)).point([round(v * strength) for v in range(256)])
            picture.paste(_SHADOW, mask=ImageChops.offset(soft, round(dx * unit), round(dy * unit)))
    picture.paste(product, mask=cover)
    return picture


def _centred(product: Image.Image, pose: Pose) -> Image.Image:
    """Return a product that lies flat in the middle of the picture, but for the pose's shift."""
    box, unit = product.getbbox(), product.width / 100
    if box is None:
        return product
    place = Image.new("RGBA", product.size)
    x = round(product.width / 2 + pose.shift[0] * unit - (box[2] - box[0]) / 2)
    y = round(product.height / 2 + pose.shift[1] * unit - (box[3] - box[1]) / 2)
    place.paste(product.crop(box), (x, y))
    return place


def _cast(picture: Image.Image, canvas: Canvas, ground: Ground) -> None:
    """Draw the shadow on the floor: wide and soft to the right, narrow and dark where the product stands."""
    unit, pose = canvas.size / 100, canvas.pose
    x = 50 + pose.shift[0] + (ground.x - 50) * pose.scale * (-1 if pose.mirrored else 1)
    y = 50 + pose.shift[1] + (ground.y - 50) * pose.scale
    half = ground.width / 2 * pose.scale * pose.narrow
    for stretch, dx, height, reach, strength in ((1.18, 5, 3.4, 2.6, 0.30), (1.0, 1, 1.3, 0.9, 0.5)):
        mask = Image.new("L", picture.size)
        box = (x + dx - half * stretch, y - height, x + dx + half * stretch, y + height)
        ImageDraw.Draw(mask).ellipse([value * unit for value in box], fill=round(255 * strength))
        picture.paste(_SHADOW, mask=mask.filter(ImageFilter.GaussianBlur(reach * unit)))
