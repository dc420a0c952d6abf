"""The second opinion on near duplicates: copies stay copies, other colours are other pictures."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from app.embedding.edits import EDITS
from app.embedding.images import thumbnail
from app.embedding.verification import may_be_the_same
from tests.pictures import encoded

# The default model does not survive them either (docs/near-duplicates.md).
_LOST_ANYWAY = {"black and white", "crop 10 % a side"}


def same(one: Image.Image, other: Image.Image) -> bool:
    return may_be_the_same(thumbnail(one), thumbnail(other))


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


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_other_colours_are_another_picture(pair: tuple[Image.Image, Image.Image]) -> None:
    assert not same(*pair)
    assert not same(*pair[::-1])


FLAT = {
    "plain": plain("teal"),
    "gradient": gradient((255, 0, 0), (0, 0, 255)),
    "label": labelled("orange"),
    "frame": framed("navy"),
    "halves": halves("red", "blue"),
}


@pytest.mark.parametrize("picture", FLAT.values(), ids=FLAT)
def test_a_flat_picture_saved_or_scaled_anew_is_the_same(picture: Image.Image) -> None:
    for copy in (
        Image.open(io.BytesIO(encoded(picture, "JPEG", quality=40))).convert("RGB"),
        picture.resize((90, 90)),
        picture.resize((700, 700)),
        ImageOps.mirror(picture),
        ImageEnhance.Contrast(picture).enhance(0.99),
    ):
        assert same(picture, copy)


def test_an_edited_photo_is_the_same(clothing: Path) -> None:
    photos = sorted(clothing.glob("*/*.jpg"))[::120]
    assert len(photos) > 20
    for path in photos:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((400, 400))
        for row in EDITS:
            assert row.name in _LOST_ANYWAY or same(photo, row.edit(photo)), (path.name, row.name)
