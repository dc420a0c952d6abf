"""Tags: in which field they are, and how far two sets of them are apart."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

# The field of the service that the path belongs to; those that are not named here have TAGS_SIMPLE.
_FIELDS = MappingProxyType({"photo": "tags", "image_matching": "tags", "colors": "tags", "custom": "_tags"})
_TAGS_SIMPLE = "_tags_simple"


def field_of(service: str) -> str:
    """Return the field that holds the tags of a service's records."""
    return _FIELDS.get(service, _TAGS_SIMPLE)


def tags_of(record: Mapping[str, object], field: str) -> list[str]:
    """Return a record's tags, each once: the strings in a list, or a single string; as the SQL function tags_of."""
    value = record.get(field)
    found = value if isinstance(value, list) else [value]
    return sorted({tag for tag in found if isinstance(tag, str)})


def jaccard_distance(one: Collection[str], other: Collection[str]) -> float:
    """Return 1 - |a and b| / |a or b|, 0 to 1; 0 where both are empty; as the SQL function tags_distance."""
    union = set(one) | set(other)
    return 1 - len(set(one) & set(other)) / len(union) if union else 0.0
