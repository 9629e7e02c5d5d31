"""What the layers of a process's cache have done and hold, looked up when it is read."""

import asyncio
import concurrent.futures
import logging
import math
from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from storage.cache.layer import Layer, LayerStats

log = logging.getLogger(__name__)

WITHIN = 0.5  # seconds that asking the layers may take
LAYER = ("layer",)

COUNTERS = (
    ("refused", "Values not kept: over a bound, invalidated meanwhile, no room."),
    ("failed", "Calls that were not answered in time, or not made after many of those."),
    ("evictions", "Values that made room for others; of the warm layer: by all processes."),
)
GAUGES = (
    ("entries", "Values kept; of the warm layer: keys, by all processes."),
    ("bytes", "Memory taken; of the warm layer: by all processes."),
    ("max_bytes", "Memory that may be taken; 0: any."),
    ("up", "Whether the layer is used; 0 while it is left alone."),
)


class Caches(Collector):
    """For a process whose event loop is `loop`; the layers are few, and so are the series.

    It is read from any thread but the loop's, which asks the layers.
    """

    def __init__(self, cache: Layer, loop: asyncio.AbstractEventLoop) -> None:
        self._cache = cache
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        return iter(_families(self._stats()))

    def _stats(self) -> Sequence[LayerStats]:
        if self._loop.is_closed():
            return ()
        asking = asyncio.run_coroutine_threadsafe(self._cache.stats(), self._loop)
        try:
            return asking.result(WITHIN)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            asking.cancel()
            log.debug("the cache's layers did not tell in time what they hold")
            return ()


def _families(layers: Sequence[LayerStats]) -> Iterator[Metric]:
    about = "Values asked for, by whether they were there; what was spoilt or outdated was not."
    reads = CounterMetricFamily("casebook_cache_reads", about, labels=("layer", "outcome"))
    about = "Values that were there and of no use: damaged; of another format, or invalidated."
    spoilt = CounterMetricFamily("casebook_cache_spoilt", about, labels=("layer", "reason"))
    about = "How long a call to the layer took."
    calls = HistogramMetricFamily("casebook_cache_call_seconds", about, labels=LAYER)
    for one in layers:
        reads.add_metric((one.name, "hit"), one.hits)
        reads.add_metric((one.name, "miss"), one.misses)
        spoilt.add_metric((one.name, "corrupt"), one.corrupt)
        spoilt.add_metric((one.name, "outdated"), one.outdated)
        if one.buckets:
            buckets = [(_bound(seconds), float(count)) for seconds, count in one.buckets]
            calls.add_metric((one.name,), buckets, one.seconds)
    yield from (reads, spoilt, calls)
    for name, about in COUNTERS:
        yield _each(CounterMetricFamily(f"casebook_cache_{name}", about, labels=LAYER), layers)
    for name, about in GAUGES:
        yield _each(GaugeMetricFamily(f"casebook_cache_{name}", about, labels=LAYER), layers)


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == math.inf else str(seconds)


def _each(family: CounterMetricFamily | GaugeMetricFamily, layers: Sequence[LayerStats]) -> Metric:
    """A number of each layer that knows it."""
    for one in layers:
        value = getattr(one, family.name.removeprefix("casebook_cache_"))
        if value is not None:
            family.add_metric((one.name,), value)
    return family
