"""Collections: created with a model that is known to load."""

from app.db import collections as table
from app.domain.collections import SERVICES, Collection, NewCollection
from app.domain.errors import InvalidRequest
from app.embedding.models import registry
from app.services.context import Context


def create(
    context: Context,
    name: str,
    service: str,
    model: str | None = None,
    *,
    capacity: int | None = None,
    thumbnails: bool = True,
    keep_images: bool = False,
    product_field: str | None = None,
) -> Collection:
    """Create a collection; without a model it gets its service's default.

    Raises:
        InvalidRequest: the name is taken or not allowed, there is no such service or model.

    """
    if service not in SERVICES:
        raise InvalidRequest(f"there is no service {service!r}; the services are {', '.join(SERVICES)}")
    chosen = model or registry.default_model(service)
    facts = registry.describe(chosen, context.models.options)
    return table.create(
        context.db,
        NewCollection(
            name=name,
            service=service,
            model=chosen,
            model_revision=facts.revision,
            dimensions=facts.dimensions,
            distance_scale=facts.distance_scale,
            capacity=capacity,
            thumbnails=thumbnails,
            keep_images=keep_images,
            product_field=product_field,
        ),
    )
