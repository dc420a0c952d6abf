"""`phash` and `pdq`: hashes of 256 bits as vectors, whose cosine distance is the Hamming distance."""

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from app.domain.errors import ConfigurationError
from app.embedding.models import pdq, phash
from app.embedding.models.base import Embedder
from app.embedding.models.bits import as_vectors, scale_of
from tests.pictures import encoded, photo


@pytest.fixture(scope="module", params=["phash", "pdq"])
def model(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "phash":
        return phash.PHash()
    pytest.importorskip("pdqhash", reason="pdqhash is not installed (an extra that needs a C++ compiler)")
    return pdq.PDQ()


def rows(model: Embedder, pictures: list[Image.Image]) -> np.ndarray:
    return model.embed([model.prepare(picture) for picture in pictures]).astype(np.float64)


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(one: Image.Image) -> Image.Image:
        left, top = round(one.width * share), round(one.height * share)
        return one.crop((left, top, one.width - left, one.height - top))

    return crop


def with_logo(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    marked = picture.copy()
    ImageDraw.Draw(marked).rectangle((width * 0.8, height * 0.88, width * 0.97, height * 0.96), fill="#c83038")
    return marked


def saved(quality: int) -> Callable[[Image.Image], Image.Image]:
    return lambda one: Image.open(io.BytesIO(encoded(one, "JPEG", quality=quality)))


@pytest.mark.parametrize("differing", [0, 1, 46, 128, 256])
def test_cosine_distance_is_the_hamming_distance(differing: int) -> None:
    one = np.random.default_rng(0).integers(0, 2, 256).astype(np.uint8)
    other = one.copy()
    other[:differing] ^= 1
    vectors = as_vectors([one, other]).astype(np.float64)
    distance = 1 - vectors[0] @ vectors[1]
    assert distance == pytest.approx(2 * differing / 256, abs=1e-7)
    assert scale_of(46) * distance == pytest.approx(5.0 * differing / 46, abs=1e-4)


def test_vectors_are_of_unit_length_and_exact_in_half_precision(model: Embedder) -> None:
    vectors = rows(model, [photo(number) for number in range(4)] + [Image.new("RGB", (9, 9), "white")])
    assert set(np.unique(vectors)) == {-1 / 16, 1 / 16}
    assert np.array_equal(vectors, vectors.astype(np.float16).astype(np.float64))
    assert model.embed([]).shape == (0, 256)


def stripes(step: int, axis: int) -> Image.Image:
    return Image.fromarray(np.where(np.indices((64, 64))[axis] % step == 0, 200, 7).astype(np.uint8))


def diagonals(step: int) -> Image.Image:
    return Image.fromarray(np.where(np.indices((64, 64)).sum(axis=0) % step == 0, 200, 0).astype(np.uint8))


GRADIENT = Image.linear_gradient("L")
# What imagehash 4.3.2 with SciPy 1.17.1 gives (`str(imagehash.phash(picture, hash_size=16))`), which collections hold.
# In plain colours, gradients and patterns many frequencies are equal but for rounding, and it alone decides on bits.
HASHES = [
    (photo(1, (333, 222)), "aabec3c08fc33c33e03cc3dcc78f3dc338f0ce31c70f381cf0f8c1c3c7811e1c"),
    (photo(2, (640, 480)), "e2cce3b2b9339c4d96cce3726338998c90c796c2693b393996ecc6cc6612eb25"),
    (photo(3, (100, 400)), "c743c663b83ec1c0ccc9381c333ec1e1c1c1c7079ce638f8c71bc787cf1cce73"),
    (photo(4, (64, 64)), "9f3cb1c3b0e3cf1c999838e3c70eb30ccc71318f33c6ce3899338cc7339c3332"),
    (photo(5, (20, 30)), "8c59b170b326cf8f98f1cc99f3063676b19bb191cf8c8c70ce0e32633c739989"),
    (photo(7, (333, 222)), "b95ee91206a196edb92e699ec2d2c8d2968da92de972b8d296ad9685e9616952"),
    (Image.new("RGB", (9, 9), "white"), "8000000000000000000000000000000000000000000000000000000000000000"),
    (Image.new("RGB", (300, 20), "teal"), "8000000000000000000000000000000000000000000000000000000000000000"),
    (Image.new("RGB", (64, 64), "black"), "0000000000000000000000000000000000000000000000000000000000000000"),
    (GRADIENT, "8000000000000000000000000000000000000000000000000000000000000000"),
    (GRADIENT.rotate(90), "8000000000000000000000000000000000000000000000000000000000000000"),
    (GRADIENT.resize((33, 77)), "8000000000000000800000000000000080000000000000008000000000000000"),
    (Image.radial_gradient("L"), "eeea8c9d9990223aa6669de999993767f626cca999f93303c26e888e998e6151"),
    (stripes(1, 0), "8000000000000000000000000000000000000000000000000000000000000000"),
    (stripes(3, 0), "8000000080000000800000008000000080000000800000008000000080000000"),
    (stripes(5, 1), "ffff000000000000000000000000000000000000000000000000000000000000"),
    (stripes(7, 0), "8000000080000000800000008000000080000000800000008000000080000000"),
    (stripes(9, 1), "aaaa000000000000000000000000000000000000000000000000000000000000"),
    (stripes(16, 0), "8000800000008000000080000000800080008000000080000000800000008000"),
    (stripes(31, 1), "eeff000000000000000000000000000000000000000000000000000000000000"),
    (diagonals(2), "8000555500005555000055550000555500005555000055550000555500005555"),
    (diagonals(3), "aaaa0000aaaa0000aaaa0000aaaa0000aaaa0000aaaa0000aaaa0000aaaa0000"),
    (diagonals(5), "ffc0ffd5ffc0ffd5ff80ffd5ff00ff55fc00f555000055550000555500005555"),
    (diagonals(6), "8000555500005555000055550000555500005555000055550000555500005555"),
    (diagonals(8), "8000000000000000000000000000000000000000000000000000000000000000"),
    (diagonals(11), "a80f555ba80f555ba00f555b000f555b000f555a000f555afff0aaa5fff0ffa5"),
    (diagonals(13), "aa97003faa95003faa95003faa95003faa95003f556affc0556affc1556affc5"),
]


@pytest.mark.parametrize(("picture", "known"), HASHES)
def test_phash_is_that_of_imagehash(picture: Image.Image, known: str) -> None:
    assert np.packbits(phash.PHash().prepare(picture)).tobytes().hex() == known


def test_pdq_is_that_of_pdqhash_in_meta_s_size() -> None:
    pdqhash = pytest.importorskip("pdqhash", reason="pdqhash is not installed (an extra that needs a C++ compiler)")
    picture = photo(7, (512, 512))
    assert np.array_equal(pdq.PDQ().prepare(picture), pdqhash.compute(np.asarray(picture))[0])


def test_without_its_package_pdq_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(pdq, "import_module", absent)
    with pytest.raises(ConfigurationError, match="needs the package pdqhash: pip install pdqhash"):
        pdq.PDQ()


# The least share of photos that stay within the radius of 5.0 after an edit: what was measured, less some.
KEPT: dict[str, tuple[Callable[[Image.Image], Image.Image], float]] = {
    "JPEG 90": (saved(90), 1.0),
    "JPEG 30": (saved(30), 0.98),
    "half size": (lambda one: one.reduce(2), 0.98),
    "double size": (lambda one: one.resize((one.width * 2, one.height * 2), Image.Resampling.BICUBIC), 1.0),
    "brighter": (lambda one: ImageEnhance.Brightness(one).enhance(1.2), 0.95),
    "less contrast": (lambda one: ImageEnhance.Contrast(one).enhance(0.8), 1.0),
    "logo": (with_logo, 0.85),
    "rotated 2 degrees": (lambda one: one.rotate(2, Image.Resampling.BICUBIC, fillcolor="white"), 0.5),
    "crop 2.5 %": (cropped(0.025), 0.2),
}
LOST: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "crop 5 %": cropped(0.05),
    "border 4 %": lambda one: ImageOps.expand(one, round(0.04 * max(one.size)), "white"),
}


def test_edited_photos_are_within_the_radius_and_different_ones_are_not(model: Embedder, clothing: Path) -> None:
    photos = []
    for path in sorted(clothing.glob("*/*.jpg"))[::90]:
        with Image.open(path) as opened:
            photos.append(opened.convert("RGB"))
    plain = rows(model, photos)
    between = model.facts.distance_scale * (1 - plain @ plain.T)
    assert between[~np.eye(len(photos), dtype=bool)].min() > 5.0
    for name, (edit, share) in KEPT.items():
        distances = model.facts.distance_scale * (1 - (rows(model, [edit(one) for one in photos]) * plain).sum(axis=1))
        assert (distances <= 5.0).mean() >= share, name
    for name, edit in LOST.items():  # what the documents say is not found: to be noticed when it is
        distances = model.facts.distance_scale * (1 - (rows(model, [edit(one) for one in photos]) * plain).sum(axis=1))
        assert (distances <= 5.0).mean() <= 0.1, name
