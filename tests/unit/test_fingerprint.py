"""The hash of a thumbnail: the bits of the model `phash`, and none where there is nothing to tell pictures apart by."""

import numpy as np
import pytest
from PIL import Image

from app.demo.catalogue import catalogue
from app.embedding.models.phash import PHash
from app.embedding.models.registry import MODELS
from app.embedding.pictures.fingerprint import complements, fingerprint
from app.embedding.pictures.images import thumbnail
from app.embedding.pictures.verification import opened


def test_it_is_the_hash_of_the_model_phash_but_for_a_bit_or_two() -> None:
    for product in catalogue(12):
        webp = thumbnail(product.picture())
        made = fingerprint(webp)
        assert made is not None
        bits = np.unpackbits(np.frombuffer(made, np.uint8))
        assert int((bits != PHash().prepare(opened(webp))).sum()) <= 2


@pytest.mark.parametrize("colour", [(255, 255, 255), (200, 30, 30), (0, 0, 0)])
def test_a_plain_picture_has_none(colour: tuple[int, int, int]) -> None:
    assert fingerprint(thumbnail(Image.new("RGB", (300, 200), colour))) is None
    gradient = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    assert fingerprint(thumbnail(gradient)) is None


def test_what_is_no_picture_has_none() -> None:
    assert fingerprint(b"thumbnail") is None


def test_it_complements_networks_alone() -> None:
    assert {name for name in MODELS if complements(name)} == {"efficientnet-lite0"}
    assert complements("openai/clip-vit-base-patch32")
