"""THE table of services: a row is all that a service is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.errors import InvalidRequest

_PHOTO_MODEL = "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class Service:
    """One of the services of the specification.

    Attributes:
        name: what a collection is created with.
        prefixes: the paths that it answers under. The second one, where there is one, is what newer releases of the
            stock client use; that with `text` is the one of the method `text`.
        model: the model of collections that are created without one.
        tags_field: the attribute that holds a record's tags.
        makes_tags: whether tags are made of pictures, where the model knows texts.

    """

    name: str
    prefixes: tuple[str, ...]
    model: str = _PHOTO_MODEL
    tags_field: str = "_tags_simple"
    makes_tags: bool = False


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        service.name: service
        for service in (
            Service("photo", ("photo/search", "similarity/photos", "similarity/text/photo"), tags_field="tags"),
            Service("image_matching", ("image_matching",), "phash", tags_field="tags"),
            Service("products", ("similarity/products", "similarity/products-new", "similarity/text/products")),
            Service("custom", ("similarity/custom",), tags_field="_tags"),
            Service(
                "fashion", ("similarity/fashion", "similarity/fashion-new", "similarity/text/fashion"), makes_tags=True
            ),
            Service("colors", ("similarity/colors",), "color-palette", tags_field="tags"),
            Service("homedecor", ("similarity/homedecor", "similarity/homedecor-new", "similarity/text/homedecor")),
        )
    }
)


def service_of(name: str) -> Service:
    """Return a service by name.

    Raises:
        InvalidRequest: there is none of this name.

    """
    if name not in SERVICES:
        raise InvalidRequest(f"there is no service {name!r}; the services are {', '.join(SERVICES)}")
    return SERVICES[name]


def prefixes() -> dict[str, str | None]:
    """Return every path prefix with the name of its service; the bare prefix serves any collection."""
    return {"": None} | {prefix: service.name for service in SERVICES.values() for prefix in service.prefixes}
