"""The ASGI app: the root of the shim's process."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from prometheus_client.registry import Collector

from actors import errors, logs, traces
from actors.announcing import Heard
from actors.broker.admission import Admission
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.failures import FailureLog
from actors.metrics.caching import Caches
from actors.metrics.collectors import Admissions, Dropped, Queues
from actors.metrics.exporter import Slot, export
from actors.metrics.meters import Meters, Named
from actors.queues import producer_broker
from actors.spans import SpanLog
from actors.startup import StartUp
from actors.telemetry.start import collect, telemetry
from pipelines.answers import Answers
from pipelines.privacy import pseudonyms
from settings import SecretFile, Settings
from shim import (
    alerts,
    analytics,
    analytics_answers,
    bulk,
    dead_letters,
    door,
    entries,
    health,
    imports,
    mappings,
    metrics,
    problems,
    queues,
    saved_searches,
    search,
    semantic,
    shortcut,
    startup,
    tasks,
    tuning,
)
from shim.backend import Backend
from shim.gatherer import Gatherer
from storage.breaker import Breakers
from storage.cache.hot import Hot
from storage.cache.layers import Cache
from storage.cache.warm import Warm
from storage.index.current import Current
from storage.index.freshness import Fresh


def make_app(settings: Settings) -> FastAPI:
    """An app that asks the workers behind `settings.redis_url`."""
    assert settings.redis_url is not None

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        assert settings.redis_url is not None
        broker = producer_broker(settings.redis_url.get_secret_value(), settings.node)
        names = pseudonyms(settings.analytics_key, settings.data / SecretFile.ANALYTICS_KEY)
        failures = FailureLog(lambda batch: broker.enqueue(errors.record.message(batch)))
        spans = SpanLog(
            lambda batch: broker.enqueue(traces.record.message(batch)), settings.slow_ms
        )
        app.state.failures, app.state.spans = failures, spans
        slot = Slot(settings.data, "shim")
        collector = telemetry(os.environ, process="shim", node=settings.node)
        if meters is not None:
            more = [Queues(broker), Admissions(admission)]
            app.state.shown = _shown(meters, slot, settings.data, more, breakers)
        client = Client(broker, patient=True, admission=admission)
        async with (
            client,
            Gatherer(client) as gatherer,
            _cache(settings, breakers) as cache,
            Heard(settings.redis_url.get_secret_value()) as heard,
            Answers(cache, _published(settings, heard), heard.met) as answers,
        ):
            app.state.backend = Backend(
                client, answers, settings.node, settings.read_timeout, settings.write_timeout
            )
            app.state.recording = analytics.Recording(
                gatherer, names, keep_days=settings.keep_events, rate=settings.events_rate
            )
            if collector is not None:
                app.state.collector = collector
                families = Named(meters.registry, slot.name) if meters is not None else None
                collect(collector, broker, families)
            if meters is not None:
                meters.registry.register(Dropped(events=gatherer, failures=failures, spans=spans))
                app.state.backend.gave = meters.gave
                meters.registry.register(Caches(cache, asyncio.get_running_loop()))
            start = _start(settings, broker, slot, _published(settings, heard))
            for thread in (failures, spans, start):
                thread.start()
            gc.freeze()  # what lives as long as the process need not be looked at again
            yield
            await app.state.backend.checks.close()
            for thread in (failures, spans, start):
                await asyncio.to_thread(thread.stop)
            if collector is not None:
                await asyncio.to_thread(collector.stop)
            slot.release()

    meters = Meters() if settings.metrics else None
    breakers = Breakers()
    admission = Admission()
    app = FastAPI(
        title="Casebook",
        description="Problems and their solutions, found while something is broken.",
        version="1",
        lifespan=life,
        redoc_url=None,
    )
    app.state.shown = app.state.failures = app.state.spans = app.state.collector = None
    app.state.data = settings.data
    app.add_middleware(shortcut.Shortcut)
    app.add_middleware(metrics.Measured, meters=meters)
    # Added last it is the outermost: of what it refuses nothing else has to hear.
    app.add_middleware(door.Door, admission=admission, meters=meters)
    problems.install(app)
    rooms = (  # routes are tried in this order: what is asked for most stands first
        *(search, bulk, entries, imports, mappings, tuning, tasks, dead_letters, queues, health),
        *(analytics, analytics_answers, alerts, metrics, saved_searches, semantic),
    )
    for room in rooms:
        app.include_router(room.router)
    return app


def _published(settings: Settings, heard: Heard) -> Callable[[], Fresh | None]:
    """What is published: here, or by the nodes where this process sees no index's folder."""
    here = Current(settings.index)
    return lambda: here.fresh() or heard.fresh()


def _start(
    settings: Settings, broker: StreamsBroker, slot: Slot, published: Callable[[], Fresh | None]
) -> StartUp:
    url = settings.cache_url.get_secret_value() if settings.cache_url else None
    phases = startup.phases(broker, url, lambda: published() is not None)
    return StartUp(broker.url, settings.node, slot.name, phases)


def _cache(settings: Settings, breakers: Breakers) -> Cache:
    hot = Hot(settings.hot_bytes)
    if settings.cache_url is None:
        return Cache(hot)
    return Cache(hot, Warm(settings.cache_url.get_secret_value(), breakers.of("cache")))


def _shown(
    meters: Meters, slot: Slot, data: Path, more: list[Collector], breakers: Breakers
) -> metrics.Shown:
    export(meters, slot, "127.0.0.1", 0, more, breakers)  # for the node's other processes
    return metrics.Shown(Named(meters.registry, slot.name), slot.name, data)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises: QueueUnavailable, OSError for a port in use."""
    logs.begin(
        settings.log_level,
        settings.log_format,
        process="shim",
        node=settings.node,
        secrets=settings.secrets(),
    )
    uvicorn.run(
        make_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )


if __name__ == "__main__":
    serve(Settings.load())
