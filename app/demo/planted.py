"""Near duplicates that the demo plants: a chain, whose ends do not look alike, though each looks like the one between.

The copies are what other sellers make of a photo: the one is cropped by a twentieth a side and brightened, the other
cropped by a tenth. So A looks like B and B like C, but A not like C within 5.0, by the model and by hash.
"""

import io

from PIL import ImageEnhance

from app.demo.catalogue import Product
from app.domain.records import Json

CHAINED = "dress-002"
"""The product of the catalogue that has the copies."""
_SIDE = 400
_QUALITY = 88
_UNKNOWN = {"released", "rating", "stock"}
"""Fields that other sellers leave out."""
_SELLERS = (("cropped", "Outlet 24", 0.05, 1.08), ("close-up", "Second Wardrobe", 0.1, 1.0))


def chain(product: Product) -> list[Product]:
    """Return two copies of a product by other sellers, which make a chain with it."""
    return [_copy(product, *one) for one in _SELLERS]


def _copy(product: Product, suffix: str, seller: str, share: float, brightness: float) -> Product:
    picture = product.picture(_SIDE)
    width, height = picture.size
    left, top = int(width * share), int(height * share)
    cropped = picture.crop((left, top, width - left, height - top))
    data = io.BytesIO()
    ImageEnhance.Brightness(cropped).enhance(brightness).save(data, "WEBP", quality=_QUALITY)
    price = product.attributes.get("price")
    changed: dict[str, Json] = {"seller": seller, "tags": [suffix]}
    if isinstance(price, float):
        changed["price"] = round(price * (1 - share), 2)
    told = {field: value for field, value in product.attributes.items() if field not in _UNKNOWN}
    return Product(f"{product.id}-{suffix}", {**told, **changed}, data.getvalue())
