"""The figures of the service for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from radscribe.serve.drift import Drift

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counts since the service was started, and what ``queue_length`` and ``drift`` give when they are asked."""

    def __init__(self, queue_length: Callable[[], float], drift: Drift) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "radscribe_requests", "Answered requests.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "radscribe_request_seconds", "Time to answer.", ("method", "route"), buckets=SECONDS, registry=registry
        )
        queue = Gauge("radscribe_queue_length", "Studies that wait or are being drafted.", registry=registry)
        queue.set_function(queue_length)
        self._drafts = Counter("radscribe_drafts", "Drafted studies, without abstentions.", registry=registry)
        self._abstentions = Counter("radscribe_abstentions", "Studies that got no draft.", registry=registry)
        self._findings = Counter(
            "radscribe_findings", "Conditions that drafts hold present or possible.", ("finding",), registry=registry
        )
        self._edits = Counter(
            "radscribe_edits",
            "Decisions on sentences that state a finding, when their draft was made final.",
            ("finding", "action"),
            registry=registry,
        )
        registry.register(_DriftFigures(drift))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def drafted(self, draft: Mapping[str, Any]) -> None:
        """Count a new draft, a line of ``radscribe generate``."""
        (self._abstentions if draft["abstain"] else self._drafts).inc()
        for condition in present(draft):
            self._findings.labels(condition).inc()

    def decided(self, decisions: Iterable[tuple[str, str]]) -> None:
        """Count the decisions on the conditions of a final draft."""
        for condition, action in decisions:
            self._edits.labels(condition, action).inc()

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _DriftFigures(Collector):
    def __init__(self, drift: Drift) -> None:
        self._drift = drift

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, condition, value in self._drift.figures():
            labels = ("finding",) if condition else ()
            full = f"radscribe_drift_{name}"
            family = families.setdefault(name, GaugeMetricFamily(full, "See docs/serve.md.", labels=labels))
            family.add_metric([condition] if condition else [], value)
        return families.values()


def present(draft: Mapping[str, Any]) -> list[str]:
    """The conditions that a draft (a line of ``radscribe generate``) holds present or possible."""
    return [each["condition"] for each in draft["findings"] if each["state"] in ("positive", "uncertain")]
