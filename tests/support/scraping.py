"""What metrics say: each series by its name and labels."""

from prometheus_client.parser import text_string_to_metric_families

from app.metrics import Metrics
from app.metrics.families import Family, Kind

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def scraped(metrics: Metrics) -> Series:
    return parsed(metrics.exposed("")[0].decode())


def key(family: Family, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    name = family.full_name + "_count" * (family.kind is Kind.HISTOGRAM)
    return name, frozenset(labels.items())
