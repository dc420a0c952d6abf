"""Tags of a record, and how far two sets of them are apart."""

from collections.abc import Collection, Mapping


def tags_of(record: Mapping[str, object], field: str) -> list[str]:
    """Return a record's tags, each once: the strings in a list, or a single string; as the SQL function tags_of."""
    value = record.get(field)
    found = value if isinstance(value, list) else [value]
    return sorted({tag for tag in found if isinstance(tag, str)})


def jaccard_distance(one: Collection[str], other: Collection[str]) -> float:
    """Return 1 - |a and b| / |a or b|, 0 to 1; 0 where both are empty; as the SQL function tags_distance."""
    union = set(one) | set(other)
    return 1 - len(set(one) & set(other)) / len(union) if union else 0.0
