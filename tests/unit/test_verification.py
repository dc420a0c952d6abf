"""The second opinion on near duplicates: copies stay copies, other colours are other pictures."""

import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps

from app.embedding.pictures.edits import EDITS
from app.embedding.pictures.images import thumbnail
from app.embedding.pictures.verification import may_be_the_same, may_be_the_same_if_plain, opinion
from tests.pictures import encoded
from tests.pictures import photo as drawn
from tests.support.flat_pictures import DIFFERENT, around, framed, gradient, halves, labelled, plain


def same(one: Image.Image, other: Image.Image) -> bool:
    return may_be_the_same(thumbnail(one), thumbnail(other))


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


def with_banner(picture: Image.Image, *, added: bool) -> Image.Image:
    """A red bar of a tenth of the height, below the picture or over its lower edge."""
    height = round(picture.height * 0.1)
    made = Image.new("RGB", (picture.width, picture.height + (height if added else 0)), (200, 30, 40))
    made.paste(picture.crop((0, 0, picture.width, made.height - height)), (0, 0))
    return made


def test_an_edited_photo_is_the_same(clothing: Path) -> None:
    edits = {row.name: row.edit for row in EDITS}
    edits |= {f"banner, {added}": partial(with_banner, added=added) for added in (False, True)}
    photos = sorted(clothing.glob("*/*.jpg"))[::300]
    lost = []
    for path in photos:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((400, 400))
        lost += [(path.name, name) for name, edit in edits.items() if not same(photo, edit(photo))]
    assert len(lost) <= 0.005 * len(photos) * len(edits), lost
    assert not [name for _, name in lost if name.startswith(("JPEG", "WebP", "half", "double", "mirrored"))]


@pytest.mark.parametrize("upright", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("ratio", [4 / 3, 1.5, 16 / 9, 3.0])
def test_what_shares_the_middle_alone_is_another_picture(ratio: float, upright: bool) -> None:
    for number in (0, 5, 10):
        middle, *sides = (drawn(number + place, (300, 300)) for place in range(5))
        one, other = (around(middle, sides[start : start + 2], ratio, upright=upright) for start in (0, 2))
        assert not same(one, other)
        assert not same(other, one)
        saved = Image.open(io.BytesIO(encoded(one, "JPEG", quality=50))).convert("RGB")
        for copy in (saved, ImageOps.mirror(one), one.resize((200, 150)), ImageOps.crop(one, 6)):
            assert same(one, copy)


def test_photos_that_share_the_middle_alone_are_other_pictures(clothing: Path) -> None:
    photos = []
    for path in sorted(clothing.glob("*/*.jpg"))[::120]:
        with Image.open(path) as opened:
            photos.append(opened.convert("RGB"))
    triples = range(len(photos) - 5)
    for ratio, least in ((4 / 3, 0.85), (16 / 9, 1.0)):
        apart = [
            not same(*(around(photos[n], photos[n + k : n + k + 2], ratio, upright=False) for k in (1, 3)))
            for n in triples
        ]
        assert sum(apart) >= least * len(apart)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 5000), (5000, 3), (900, 20)])
def test_pictures_of_any_shape_are_compared(size: tuple[int, int]) -> None:
    picture = drawn(3, (900, 900)).resize(size)
    assert same(picture, picture)
    assert isinstance(same(picture, drawn(4)), bool)


def test_a_model_is_doubted_only_in_what_escapes_it() -> None:
    for name in ("efficientnet-lite0", "org/name", "org/name@0123abc"):
        assert opinion(name) is may_be_the_same
    for name in ("phash", "pdq", "pixels"):
        assert opinion(name) is may_be_the_same_if_plain
    assert opinion("color-palette") is None
    red, green = (thumbnail(framed(colour)) for colour in ("red", "green"))
    assert may_be_the_same_if_plain(red, green)
    assert not may_be_the_same(red, green)
    assert not may_be_the_same_if_plain(*(thumbnail(plain(colour)) for colour in ("red", "green")))
