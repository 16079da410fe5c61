"""The alert rules speak of metrics that there are, and say what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "ops" / "prometheus" / "rules").glob("*.yml"))


def _alerts() -> list[Any]:
    documents = [yaml.safe_load(path.read_text("utf-8")) for path in RULES]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


ALERTS = _alerts()


def _metrics() -> set[str]:
    """Returns the names under which the product's sources declare metrics, as Prometheus sees them."""
    declared = re.compile(r'\b(Counter|Gauge|Histogram)\(\s*"(carillon_\w+)"')
    found = set[str]()
    for folder in ("activities", "api", "db", "."):
        for path in (ROOT / folder).glob("*.py"):
            for kind, name in declared.findall(path.read_text("utf-8")):
                plain = name.removesuffix("_total")
                suffixes = {"Counter": ["_total"], "Gauge": [""], "Histogram": ["_bucket", "_count", "_sum"]}[kind]
                found |= {plain + suffix for suffix in suffixes}
    return found


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_names_metrics_that_there_are(rule: Any) -> None:
    named = set(re.findall(r"carillon_\w+", rule["expr"]))
    assert named
    assert named <= _metrics()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: Any) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert {"summary", "description"} <= rule["annotations"].keys()
    for page in re.findall(r"docs/[\w/-]+\.md", rule["annotations"]["description"]):
        assert (ROOT / page).is_file(), page


def test_names_of_alerts_are_unique() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))


def test_prometheus_gets_the_rules() -> None:
    prometheus = yaml.safe_load((ROOT / "ops" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert prometheus["rule_files"] == ["rules/*.yml"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert "./ops/prometheus/rules:/etc/prometheus/rules:ro" in compose["services"]["prometheus"]["volumes"]
