"""`color-palette`: colours alone count, as the eye sees them, without the paper behind a product."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from app.embedding.models.color_palette import ColorPalette, small
from app.embedding.pictures.backdrop import product_mask
from app.embedding.pictures.colour_space import even, lab
from app.embedding.tags.colour_names import EXAMPLES, dominant_colours
from tests.pictures import encoded, photo

MODEL = ColorPalette()
RADIUS = 5.0


def distances(ones: list[Image.Image], others: list[Image.Image]) -> np.ndarray:
    rows = [MODEL.embed([MODEL.prepare(picture) for picture in side]).astype(np.float64) for side in (ones, others)]
    return np.asarray(MODEL.facts.distance_scale * (1 - rows[0] @ rows[1].T))


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(distances([one], [other])[0, 0])


def plain(colour: str, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, colour)


def product(colour: str, paper: str = "#f4f3f1", box: tuple[int, int, int, int] = (50, 40, 150, 160)) -> Image.Image:
    picture = plain(paper, (200, 200))
    ImageDraw.Draw(picture).ellipse(box, fill=colour)
    return picture


def hues_turned(picture: Image.Image, degrees: int) -> Image.Image:
    hue, saturation, value = picture.convert("HSV").split()
    turned = hue.point([(level + round(degrees / 360 * 256)) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


# Reference values of sRGB in CIELAB (D65): greys by the formula, primaries as in the usual tables (to .1).
@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_has_the_values_of_the_tables(rgb: tuple[int, int, int], expected: tuple[float, ...]) -> None:
    assert lab(np.array(rgb, np.uint8)) == pytest.approx(np.array(expected), abs=0.05)


def test_the_even_space_keeps_greys_grey_and_draws_vivid_colours_together() -> None:
    assert even(lab(np.array([128, 128, 128], np.uint8)))[1:] == pytest.approx([0, 0], abs=1e-4)
    grey, dull = (np.array([50, chroma, 0], np.float32) for chroma in (0, 10))
    vivid, livelier = (np.array([50, chroma, 0], np.float32) for chroma in (80, 90))
    assert np.linalg.norm(even(vivid) - even(livelier)) < 0.4 * np.linalg.norm(even(grey) - even(dull))


def test_distance_grows_with_the_perceived_difference() -> None:
    reds = [plain(colour) for colour in ("#c83038", "#c43a40", "#d2502e", "#e57c36", "#e2b23a", "#3a8a5b")]
    row = distances(reds[:1], reds)[0]
    assert (np.diff(row) > 0).all()
    assert row[1] < RADIUS < row[3]


def test_any_colour_of_srgb_has_a_direction_and_every_value_is_a_share() -> None:
    steps = (0, 51, 102, 153, 204, 255)
    pictures = [Image.new("RGB", (2, 2), (r, g, b)) for r in steps for g in steps for b in steps]
    rows = MODEL.embed([MODEL.prepare(picture) for picture in pictures])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-5)
    assert (rows >= 0).all()
    assert rows.shape[1] <= 256


def test_places_and_sizes_do_not_count() -> None:
    one = photo(3, (400, 300))
    for other in (
        one.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        one.transpose(Image.Transpose.ROTATE_180),
        one.reduce(2),
    ):
        assert distance(one, other) < 0.2 * RADIUS


def test_the_paper_is_left_out_whatever_its_tint() -> None:
    assert distance(product("#c83038"), product("#c83038", paper="#e4e5e7")) < RADIUS
    assert distance(product("#c83038"), product("#c83038", box=(10, 20, 190, 185))) < RADIUS
    assert distance(product("#c83038"), product("#3870c4")) > 20 * RADIUS


def test_the_paper_is_left_out_where_the_light_falls_off() -> None:
    lit = Image.radial_gradient("L").resize((200, 200)).point([255 - level // 5 for level in range(256)])
    picture = Image.merge("RGB", (lit, lit, lit))
    ImageDraw.Draw(picture).rectangle((60, 60, 139, 139), fill="#3870c4")
    assert product_mask(lab(small(picture))).mean() == pytest.approx(0.16, abs=0.03)


def test_white_stays_where_the_product_encloses_it() -> None:
    picture = product("#24345e")
    ImageDraw.Draw(picture).ellipse((80, 80, 120, 120), fill="#f4f3f1")
    mask = product_mask(lab(small(picture)))
    assert mask[32, 32]
    assert not mask[2, 2]


@pytest.mark.parametrize(
    "picture",
    [
        plain("white"),
        plain("black"),
        product("#f5dd3d", paper="#c83038"),
        product("#f5dd3d", paper="#24345e"),
        photo(1),
        product("#c83038", box=(98, 98, 101, 101)),
    ],
    ids=["all white", "all black", "colourful border", "dark border", "many colours", "a speck on paper"],
)
def test_nothing_is_left_out_where_there_is_no_paper_or_nothing_else(picture: Image.Image) -> None:
    assert product_mask(lab(small(picture))).all()


_COLOURS = ("#c83038", "#24345e", "#3a8a5b", "#e8b83a", "#7a56a6", "#f0f0ee", "#202022", "#a06a3c")
_BOXES = ((50, 40, 150, 160), (30, 80, 170, 130), (80, 20, 120, 180), (60, 60, 110, 110), (40, 30, 160, 90))
_PAPERS = ("#f4f3f1", "#e9eef2", "#fbfbfb", "#efe8dc", "#f1f4ee")


def test_products_of_one_colour_are_near_and_recoloured_ones_are_far() -> None:
    """Products of other shapes and sizes, each before paper of another tint."""
    looks = [(colour, *place) for colour in _COLOURS for place in zip(_PAPERS, _BOXES, strict=True)]
    pictures = [product(*look) for look in looks]
    colours = np.array([look[0] for look in looks])
    between = distances(pictures, pictures)
    np.fill_diagonal(between, np.inf)
    assert (colours[between.argmin(axis=1)] == colours).all()
    assert between[colours[:, None] != colours].min() > 4 * RADIUS


EDITS: dict[str, tuple[Callable[[Image.Image], Image.Image], float]] = {
    "saved again": (lambda one: Image.open(io.BytesIO(encoded(one, "JPEG", quality=30))), 0.97),
    "half size": (lambda one: one.reduce(2), 1.0),
    "brighter": (lambda one: ImageEnhance.Brightness(one).enhance(1.1), 0.9),
}


def test_photos_stay_within_the_radius_when_edited_and_leave_it_when_recoloured(clothing: Path) -> None:
    photos = []
    for path in sorted(clothing.glob("*/*.jpg"))[::60]:
        with Image.open(path) as opened:
            opened.draft("RGB", (400, 400))
            photos.append(opened.convert("RGB"))
    for name, (edit, share) in EDITS.items():
        assert (distances(photos, [edit(one) for one in photos]).diagonal() <= RADIUS).mean() >= share, name
    turned = distances(photos, [hues_turned(one, 120) for one in photos]).diagonal()
    assert (turned > RADIUS).mean() >= 0.9


def test_dominant_colours_have_names_and_shares() -> None:
    picture = product("#c83038", box=(50, 0, 150, 199))
    ImageDraw.Draw(picture).rectangle((50, 100, 150, 199), fill="#24345e")
    ImageDraw.Draw(picture).rectangle((98, 98, 101, 101), fill="#3a8a5b")
    found = dominant_colours(picture)
    assert [colour.name for colour in found] == ["navy", "red"]
    assert found[0].hex == "#24345e"
    assert found[0].share > found[1].share > 0.3
    assert sum(colour.share for colour in found) <= 1


def test_dominant_colours_always_name_one() -> None:
    many = Image.effect_noise((64, 64), 100).convert("RGB")
    assert len(dominant_colours(many, least=1.0)) == 1
    assert dominant_colours(plain("white"))[0] == ("white", "#ffffff", 1.0)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_examples_of_a_name_bear_it(name: str) -> None:
    for colour in EXAMPLES[name]:
        assert dominant_colours(plain(colour))[0].name == name
