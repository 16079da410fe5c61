"""What the API counts, in a registry of its own per application."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from api.parked_gauge import ParkedGauge
from db import duplicates, event_types

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(duplicates.CONFIRMED)  # receipts prove them here, records in workers
    registry.register(event_types.REFUSED)  # senders' here, those of schedules in workers
    return registry


@dataclass(frozen=True, slots=True)
class Metrics:
    """Durations by method, route template and status; paths with ids never become labels."""

    registry: CollectorRegistry = field(default_factory=_registry)
    duration: Histogram = field(init=False)
    in_flight: Gauge = field(init=False)
    callbacks: Counter = field(init=False)
    parked: ParkedGauge = field(init=False)

    def __post_init__(self) -> None:
        duration = Histogram(
            "carillon_http_request_duration_seconds",
            "Time to answer a request.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        in_flight = Gauge(
            "carillon_http_requests_in_flight", "Requests that are being answered.", registry=self.registry
        )
        callbacks = Counter(
            "carillon_callbacks", "Authentic callbacks of providers.", ("provider", "kind"), registry=self.registry
        )
        object.__setattr__(self, "parked", ParkedGauge(self.registry))
        object.__setattr__(self, "callbacks", callbacks)
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "in_flight", in_flight)

    def observe(self, *, method: str, route: str | None, status: int, seconds: float) -> None:
        """Counts one answered request; unknown methods and paths share one label each."""
        known = method if method in _METHODS else "other"
        self.duration.labels(known, route or "unmatched", str(status)).observe(seconds)
