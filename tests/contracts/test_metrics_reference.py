"""The reference of metrics names every metric of the processes with its kind, and no other."""

import re
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

import worker  # noqa: F401 - importing it declares what workers measure
from api.metrics import Metrics

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text("utf-8")


def _declared(registry: CollectorRegistry) -> set[tuple[str, str]]:
    """Returns the metrics of a registry, by the names that people ask Prometheus for, with their kinds."""
    families = [family for family in registry.collect() if family.name.startswith("carillon_")]
    return {(one.name + "_total" * (one.type == "counter"), one.type) for one in families}


def test_every_metric_stands_in_the_reference_with_its_kind_and_no_other() -> None:
    rows = re.findall(r"^\| `(carillon_\w+)` \| (\w+) \|", REFERENCE, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == _declared(REGISTRY) | _declared(Metrics().registry)


def test_what_the_api_shows_stands_apart_from_what_workers_show() -> None:
    _, of_api, of_both, of_workers = REFERENCE.split("\n## ")
    shown = {name for name, _ in _declared(Metrics().registry)}
    assert shown == set(re.findall(r"^\| `(carillon_\w+)`", of_api + of_both, re.MULTILINE))
    assert not shown & set(re.findall(r"^\| `(carillon_\w+)`", of_workers, re.MULTILINE))
