"""Pictures of few colours: what a fingerprint of shapes takes for the same, and what it is not."""

import numpy as np
from PIL import Image, ImageDraw, ImageOps


def plain(colour: str | tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (300, 300), colour)


def gradient(first: tuple[int, int, int], last: tuple[int, int, int]) -> Image.Image:
    share = np.linspace(0, 1, 300)[None, :, None]
    return Image.fromarray((np.array(first) * (1 - share) + np.array(last) * share).repeat(300, 0).astype(np.uint8))


def framed(colour: str) -> Image.Image:
    return ImageOps.expand(Image.new("RGB", (220, 220), colour), 40, "white")


def labelled(colour: str) -> Image.Image:
    picture = plain(colour)
    ImageDraw.Draw(picture).text((20, 260), "RAL 1023", fill="black")
    return picture


def halves(left: str, right: str) -> Image.Image:
    picture = plain(left)
    picture.paste(right, (150, 0, 300, 300))
    return picture


DIFFERENT = {
    "black and white": (plain("black"), plain("white")),
    "yellow and blue": (plain("yellow"), plain("blue")),
    "two blues": (plain((50, 68, 215)), plain((60, 80, 220))),
    "white and ivory": (plain("white"), plain("ivory").point(lambda value: value - 8)),
    "gradients": (gradient((255, 0, 0), (0, 0, 255)), gradient((0, 255, 0), (255, 255, 0))),
    "labels": (labelled("red"), labelled("orange")),
    "frames": (framed("red"), framed("green")),
    "halves": (halves("red", "blue"), halves("green", "yellow")),
}


def around(middle: Image.Image, sides: list[Image.Image], ratio: float, *, upright: bool) -> Image.Image:
    """A picture with one in its middle square and another at each end."""
    length = round(300 * ratio)
    made = Image.new("RGB", (length, 300), "white")
    rest = (length - 300) // 2
    for side, left in zip(sides, (0, length - rest), strict=True):
        made.paste(ImageOps.fit(side, (rest, 300)), (left, 0))
    made.paste(ImageOps.fit(middle, (300, 300)), (rest, 0))
    return made.transpose(Image.Transpose.ROTATE_90) if upright else made
