"""The root of a worker process: `python -m actors.worker ROLE`."""

import gc
import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack

from prometheus_client.registry import Collector
from pydantic import SecretStr

from actors import errors, logs, traces
from actors.alerting.channels import Channels, Outage
from actors.alerting.samples import Node
from actors.analytics import EventRetention
from actors.announcing import Announcer
from actors.broker.broker import StreamsBroker
from actors.broker.worker import Worker
from actors.catalogue import roles, worker_broker
from actors.failures import FailureLog
from actors.index import Again
from actors.metrics.collectors import Disk, Dropped, Ground, Lag, Pool
from actors.metrics.exporter import Exporter, Slot, export
from actors.metrics.meters import Meters, Named
from actors.nudge import Listener, Nudge
from actors.schedule import SCHEDULE, of_importer, of_node
from actors.spans import SpanLog
from actors.startup import StartUp, phases
from actors.telemetry.start import collect, telemetry
from actors.tracking import Tracked
from actors.upkeep import Retention
from actors.warming import Cooled, Warmth
from contracts.errors import QueueUnavailable
from settings import Settings
from storage.breaker import Breakers
from storage.embedding.provider import Embedding
from storage.embedding.vectors import Embedders
from storage.index.follower import Follower
from storage.index.searcher import IndexReader
from storage.postgres.store import Store

log = logging.getLogger(__name__)

STOP_WITHIN = 30.0  # seconds
POOL = 7  # connections to PostgreSQL, at most: one for each thread that needs one


def run(settings: Settings, role_name: str) -> bool:
    """Work until SIGTERM or SIGINT; whether everything that ran had ended by then.

    Raises: QueueUnavailable when Redis can't be reached at the start; KeyError for a role that
    does not exist.
    """
    assert settings.redis_url is not None
    assert settings.database_url is not None
    logs.begin(
        settings.log_level,
        settings.log_format,
        process=role_name,
        node=settings.node,
        secrets=settings.secrets(),
    )
    role = roles(settings.node, settings.search_threads, settings.bulk_nice)[role_name]
    os.nice(role.nice)
    broker = worker_broker(settings.redis_url.get_secret_value(), settings.node)
    with ExitStack() as stack:
        breakers = Breakers()
        _provide(broker, settings, role.name, breakers, stack)
        schedule = SCHEDULE
        if role.name == "indexer":
            schedule += of_node(settings.node)
            _follow(broker, settings, stack)
        elif role.name == "importer":
            schedule += of_importer(broker.resources[Node], broker.resources[IndexReader])
            broker.resources[Warmth] = _warmth(settings, breakers)
            if settings.cache_url is not None:
                Cooled(broker)()  # nothing may be warm yet
        slot = Slot(settings.data, role.name)
        stack.callback(slot.release)
        _tell(broker, settings, slot, breakers, stack)
        store, reader = broker.resources[Store], broker.resources[IndexReader]
        searching = any(reading.queue == "search" for reading in role.readings)
        start = StartUp(
            broker.url, settings.node, slot.name, phases(store, reader, searching=searching)
        )
        start.attempt()
        start.start()
        stack.callback(start.stop)
        worker = Worker(broker, role.readings, schedule=schedule, heartbeat=settings.heartbeat)
        ending = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.set())
        worker.start()
        gc.freeze()  # what lives as long as the process need not be looked at again
        log.info("%s is ready", worker.name)
        ending.wait()
        log.info("%s is stopping", worker.name)
        return worker.stop(STOP_WITHIN)


def _provide(
    broker: StreamsBroker, settings: Settings, role: str, breakers: Breakers, stack: ExitStack
) -> None:
    """The resources that operations of every role may need; the stack closes them."""
    assert settings.database_url is not None
    store = Store(
        settings.database_url.get_secret_value(),
        most=POOL,
        name=f"casebook {role}",
        breaker=breakers.of("postgresql"),
    )
    stack.callback(store.close)
    channels = _channels(settings, breakers)
    broker.resources |= {
        Store: store,
        IndexReader: IndexReader(settings.index),
        Retention: Retention(settings.keep_days, settings.keep_letters),
        EventRetention: EventRetention(settings.keep_events),
        Tracked: Tracked(broker, store),
        Node: Node(settings.node, settings.data),
        Embedders: Embedders(_embedding(settings, breakers)),
        Channels: channels,
        Outage: Outage(channels),
    }


def _follow(broker: StreamsBroker, settings: Settings, stack: ExitStack) -> None:
    """What the indexer needs, and what wakes it."""
    assert settings.database_url is not None
    store, reader = broker.resources[Store], broker.resources[IndexReader]
    follower = Follower(settings.index, store, settings.language)
    stack.callback(follower.close)
    nudge = Nudge(broker, settings.node)
    published = Cooled(broker) if settings.cache_url is not None else lambda: None
    announce = Announcer(broker, settings.node, settings.index)
    broker.resources |= {Follower: follower, Again: Again(nudge, published, announce)}
    listener = Listener(settings.database_url.get_secret_value(), nudge, reader)
    listener.start()
    stack.callback(listener.stop)


def _tell(
    broker: StreamsBroker, settings: Settings, slot: Slot, breakers: Breakers, stack: ExitStack
) -> None:
    """Begin to tell what this process does and meets; the stack ends that."""
    failures = FailureLog(lambda batch: broker.enqueue(errors.record.message(batch)))
    spans = SpanLog(
        lambda batch: broker.enqueue(traces.record.message(batch)),
        settings.slow_ms,
        settings.slow_sql_ms,
    )
    broker.resources |= {FailureLog: failures, SpanLog: spans}
    for outbox in (failures, spans):
        outbox.start()
        stack.callback(outbox.stop)
    families = None
    if settings.metrics:
        dropped = Dropped(spans=spans, failures=failures)
        exporter = _measure(broker, settings, slot, breakers, dropped)
        stack.callback(exporter.stop)
        families = Named(broker.resources[Meters].registry, slot.name)
    collector = telemetry(os.environ, process=slot.name, node=settings.node)
    if collector is not None:
        stack.callback(collector.stop)
        collect(collector, broker, families)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _embedding(settings: Settings, breakers: Breakers) -> Embedding:
    return Embedding(
        provider=settings.embedding,
        url=settings.embedding_url,
        model=settings.embedding_model,
        key=_secret(settings.embedding_key),
        timeout=settings.embedding_timeout,
        breakers=breakers,
    )


def _warmth(settings: Settings, breakers: Breakers) -> Warmth:
    return Warmth(
        url=_secret(settings.cache_url),
        breaker=breakers.of("cache"),
        index=settings.index,
        within=settings.warm_within,
        rate=settings.warm_rate,
        most=settings.warm_queries,
    )


def _channels(settings: Settings, breakers: Breakers) -> Channels:
    return Channels(
        webhook=settings.alert_webhook,
        webhook_secret=_secret(settings.alert_webhook_secret),
        smtp=_secret(settings.alert_smtp),
        sender=settings.alert_from,
        recipients=_listed(settings.alert_to),
        hosts=_listed(settings.search_webhooks.lower()),
        breakers=breakers,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _measure(
    broker: StreamsBroker, settings: Settings, slot: Slot, breakers: Breakers, dropped: Dropped
) -> Exporter:
    """Begin to count, and to show it."""
    store, index = broker.resources[Store], broker.resources[IndexReader]
    broker.resources[Meters] = meters = Meters()
    more: list[Collector] = [Pool(store), dropped]
    # What is the node's or everyone's is shown by one of its processes.
    if slot.name.startswith("indexer"):
        more += [Lag(index, store), Disk(settings.data)]
    elif slot.name.startswith("importer"):
        more.append(Ground(store))
    host, port = settings.metrics_host, settings.metrics_port
    return export(meters, slot, host, port, more, breakers)


def main() -> int:
    """Run the role named on the command line."""
    settings = Settings.load()
    try:
        return 0 if run(settings, sys.argv[1]) else 1
    except QueueUnavailable as error:
        log.error("%s (%s)", error.message, error.details.get("reason"))
        return 3


if __name__ == "__main__":
    sys.exit(main())
