"""The families that a process counts in, with a bound on how many series each may have."""

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from contracts.operation import doing, span_of

#: Seconds. A search takes milliseconds, a rebuild minutes: the steps are close where most is.
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 120)
WAITS = (0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 3600)
SERIES = 300  # label combinations of one family; what comes after them is counted as OTHER
OTHER = "other"
AGAIN = 1.0  # seconds until a bucket is given another exemplar

F = TypeVar("F", bound=MetricWrapperBase)


class Series(Generic[F]):
    """The children of one family, found faster than by `labels`, and never more than SERIES.

    Labels stand for things that are few (queues, actors, routes). If they ever come from outside,
    a flood of names ends in one series and not in the memory of this process and of Prometheus.
    """

    def __init__(self, family: F) -> None:
        self.family = family
        self._known: dict[tuple[str, ...], F] = {}

    def of(self, *labels: str) -> F:
        """The child of these label values."""
        known = self._known.get(labels)
        if known is None:
            if len(self._known) >= SERIES:
                labels = (OTHER,) * len(labels)
            known = self._known[labels] = self.family.labels(*labels)
        return known


class Meters:
    """One a process, made by its root."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        #: When a bucket was given its last exemplar.
        self._exemplars: dict[tuple[Histogram, int], float] = {}
        self.actors = self._histogram(
            "casebook_actor_seconds", "How long an actor ran.", ("queue", "actor"), DURATIONS
        )
        self.waits = self._histogram(
            "casebook_wait_seconds",
            "From a message's arrival in its queue until it began.",
            ("queue",),
            WAITS,
        )
        self.outcomes = self._counter(
            "casebook_deliveries_total",
            "Deliveries by how they ended.",
            ("queue", "actor", "outcome"),
        )
        self.rows = self._counter(
            "casebook_import_rows_total", "Rows of import chunks by what became of them.", ("as",)
        )
        self.requests = self._histogram(
            "casebook_http_request_seconds",
            "How long an HTTP request took.",
            ("method", "route", "status"),
            DURATIONS,
        )
        self.answers = self._counter(
            "casebook_answers_total",
            "Answers that may be kept, by where they came from: hot, warm, miss, stale.",
            ("source",),
        )
        self.in_flight = Gauge(
            "casebook_http_requests_in_flight",
            "HTTP requests being answered.",
            registry=self.registry,
        )
        self.errors = self._counter(
            "casebook_errors_total", "Errors that the error log keeps.", ("category",)
        )

        self.warmed = self._counter(
            "casebook_warmed_total",
            "Answers that were warmed before they were asked for.",
            ("kind",),
        )
        self.warmings = self._counter(
            "casebook_warming_runs_total", "Runs of warming by how they ended.", ("ended",)
        )
        self.warming = Counter(
            "casebook_warming_seconds_total", "Time that they took.", registry=self.registry
        )

    def ran(self, queue: str, actor: str, seconds: float, waited: float, outcome: str) -> None:
        """A delivery has ended."""
        self._observe(self.actors.of(queue, actor), seconds)
        self.waits.of(queue).observe(max(0.0, waited))
        self.outcomes.of(queue, actor, outcome).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request has been answered."""
        child = self.requests.of(method, route, f"{status // 100}xx")
        self._observe(child, seconds)

    def _observe(self, child: Histogram, seconds: float) -> None:
        """Count, with an exemplar where its bucket has none of this second: checking one costs
        twice what counting does, and who reads sees the last."""
        bucket, now = (child, bisect_left(DURATIONS, seconds)), time.monotonic()
        if now - self._exemplars.get(bucket, -AGAIN) < AGAIN:
            child.observe(seconds)
        else:
            self._exemplars[bucket] = now
            child.observe(seconds, _exemplar())

    def shed(self, method: str, status: int) -> None:
        """An HTTP request was one too many. No exemplar: no story tells of it."""
        self.requests.of(method, OTHER, f"{status // 100}xx").observe(0.0)

    def warmed_up(self, ended: str, warmed: Mapping[str, int], seconds: float) -> None:
        """A run of warming has ended."""
        for kind, count in warmed.items():
            self.warmed.of(kind).inc(count)
        self.warmings.of(ended).inc()
        self.warming.inc(seconds)

    def gave(self, source: str) -> None:
        """An answer that may be kept was given, from this layer of the cache or computed."""
        self.answers.of(source).inc()

    def _histogram(
        self, name: str, about: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> Series[Histogram]:
        return Series(Histogram(name, about, labels, registry=self.registry, buckets=buckets))

    def _counter(self, name: str, about: str, labels: Sequence[str]) -> Series[Counter]:
        return Series(Counter(name, about, labels, registry=self.registry))


class Collects(Protocol):
    """What has families to show: a registry, or a collector."""

    def collect(self) -> Iterable[Metric]:
        """The families as of now."""


class Named:
    """The families of a registry, each sample with the name of its process."""

    def __init__(self, registry: Collects, process: str) -> None:
        self._registry = registry
        self._process = {"process": process}

    def collect(self) -> Iterator[Metric]:
        """The families as of now."""
        for family in self._registry.collect():
            samples = [_relabelled(sample, self._process) for sample in family.samples]
            named = Metric(family.name, family.documentation, family.type, family.unit)
            named.samples = samples
            yield named


def _relabelled(sample: Sample, more: dict[str, str]) -> Sample:
    return sample._replace(labels={**sample.labels, **more})


def _exemplar() -> dict[str, str] | None:
    """OpenMetrics allows 128 characters: a caller's own id is 32, one of ours at most 36."""
    now = doing()
    if not now.id:
        return None
    found = {"operation_id": now.id[:64]}
    if now.parent:
        found["span_id"] = span_of(now.parent)
    return found
