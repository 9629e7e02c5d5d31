"""Metrics on their way to a collector: what /metrics shows, in OpenTelemetry's form."""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Exemplar as Seen
from prometheus_client.samples import Sample

from actors.metrics.meters import Collects

log = logging.getLogger(__name__)

TOTAL = AggregationTemporality.CUMULATIVE
TRACE = re.compile(r"[0-9a-f]{32}")  # an operation's id that is a trace's
PERIOD = 60_000  # ms, unless OTEL_METRIC_EXPORT_INTERVAL says another


class Pushing(threading.Thread):
    """Sends the families that it is given, every period, once it is started."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(name="otel metrics", daemon=True)
        self._resource = resource
        self._began = self._pushed = time.time_ns()
        self._families: Collects | None = None
        self._exporter = OTLPMetricExporter()
        self._period = int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", PERIOD)) / 1000
        self._ending = threading.Event()
        self._away = False

    def show(self, families: Collects) -> None:
        """Begin to send these."""
        self._families = families
        self.start()

    def run(self) -> None:
        while not self._ending.wait(self._period):
            self.push()

    def push(self) -> None:
        """Send them now; what can't be sent is in the next ones, which are totals."""
        try:
            result = self._exporter.export(self._data())
        except Exception as error:  # whatever theirs meets, ours go on
            log.debug("metrics: %s", error)
            result = MetricExportResult.FAILURE
        away = result is not MetricExportResult.SUCCESS
        if away and not self._away:
            log.warning("metrics can't be sent to the collector; trying again and again")
        self._away = away

    def stop(self) -> None:
        """End; what was measured since the last time is not sent."""
        self._ending.set()
        self._exporter.shutdown()

    def _data(self) -> MetricsData:
        assert self._families is not None
        now = time.time_ns()
        metrics = [
            found
            for family in self._families.collect()
            if (found := _metric(family, self._began, self._pushed, now)) is not None
        ]
        self._pushed = now
        scope = ScopeMetrics(InstrumentationScope("casebook"), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])


def _metric(family: Family, began: int, pushed: int, now: int) -> Metric | None:
    """One family as of now: counted since `began`, with exemplars of after `pushed`."""
    data: Any
    if family.type == "histogram":
        data = Histogram(list(_histograms(family.samples, began, pushed, now)), TOTAL)
    else:
        counts = family.type == "counter"
        points = [
            NumberDataPoint(dict(one.labels), began, now, one.value)
            for one in family.samples
            if not one.name.endswith("_created")
        ]
        data = Sum(points, TOTAL, is_monotonic=True) if counts else Gauge(points)
    return Metric(family.name, family.documentation, "", data) if data.data_points else None


def _histograms(
    samples: list[Sample], began: int, pushed: int, now: int
) -> Iterator[HistogramDataPoint]:
    """Prometheus's buckets count what is below them; OpenTelemetry's what is in them."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for one in samples:
        labels = tuple((name, value) for name, value in one.labels.items() if name != "le")
        point = found.setdefault(labels, {"bounds": [], "counts": [], "sum": 0.0, "seen": []})
        if one.name.endswith("_bucket"):
            point["bounds"].append(float(one.labels["le"]))
            point["counts"].append(int(one.value))
            if one.exemplar is not None and (exemplar := _exemplar(one.exemplar, pushed)):
                point["seen"].append(exemplar)
        elif one.name.endswith("_sum"):
            point["sum"] = one.value
    for labels, point in found.items():
        counts = point["counts"]
        inside = [count - before for count, before in zip(counts, [0, *counts], strict=False)]
        yield HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=began,
            time_unix_nano=now,
            count=counts[-1],
            sum=point["sum"],
            bucket_counts=inside,
            explicit_bounds=point["bounds"][:-1],
            min=None,  # type: ignore[arg-type]  # Prometheus keeps none; none is sent
            max=None,  # type: ignore[arg-type]
            exemplars=point["seen"],
        )


def _exemplar(seen: Seen, pushed: int) -> Exemplar | None:
    """The operation of one measurement; None where it was told of before."""
    at = int(float(seen.timestamp or 0) * 1e9)
    if at <= pushed:
        return None
    operation, span = seen.labels.get("operation_id", ""), seen.labels.get("span_id")
    is_trace = span is not None and TRACE.fullmatch(operation) is not None
    return Exemplar(
        filtered_attributes={"operation_id": operation},
        value=seen.value,
        time_unix_nano=at,
        span_id=int(span, 16) if is_trace and span else None,
        trace_id=int(operation, 16) if is_trace else None,
    )
