"""Families that are looked up when they are read, and cost nothing in between."""

import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from actors.broker import queues
from actors.broker.admission import Admission
from actors.broker.broker import StreamsBroker
from actors.metrics.asking import Asking
from contracts.errors import CasebookError
from contracts.queues import QueueState
from storage.breaker import Breakers, State
from storage.index.searcher import IndexReader
from storage.postgres.store import Row, Store


class Drops(Protocol):
    """What has a bound."""

    dropped: int


class Build(Collector):
    """Which release this is."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("casebook_build", "The release.", {"version": version("casebook")})


class Pool(Collector):
    """This process's connections to PostgreSQL."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        found = self._store.pool_use()
        about = "Connections of this process's pool to PostgreSQL."
        connections = GaugeMetricFamily("casebook_pool_connections", about, labels=("state",))
        connections.add_metric(("in_use",), found.in_use)
        connections.add_metric(("idle",), found.idle)
        yield connections
        yield _gauge("casebook_pool_connections_max", "Connections it may open.", found.most)
        yield _gauge("casebook_pool_waiting", "Threads that wait for one now.", found.waiting)
        for name, about, value in (
            ("casebook_pool_requests", "Connections asked of the pool.", found.requests),
            ("casebook_pool_waits", "Requests that had to wait.", found.waits),
            ("casebook_pool_wait_seconds", "Time spent waiting.", found.wait_seconds),
            ("casebook_pool_errors", "Requests that got none in time.", found.errors),
        ):
            yield CounterMetricFamily(name, about, value)


class Circuits(Collector):
    """This process's circuit breakers."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def collect(self) -> Iterator[Metric]:
        about = "1 for the state that a circuit breaker is in, 0 for the others."
        states = GaugeMetricFamily("casebook_circuit_state", about, labels=("circuit", "state"))
        about = "How often a circuit breaker has opened."
        openings = CounterMetricFamily("casebook_circuit_openings", about, labels=("circuit",))
        for circuit in self._breakers.circuits():
            for state in State:
                states.add_metric((circuit.name, state.value), circuit.state is state)
            openings.add_metric((circuit.name,), circuit.openings)
        yield from (states, openings)


class Dropped(Collector):
    """What this process wanted to tell and had no room to keep, by kind."""

    def __init__(self, **kinds: Drops) -> None:
        self._kinds = kinds

    def collect(self) -> Iterator[Metric]:
        about = "Events, spans and groups of errors that were never sent."
        found = CounterMetricFamily("casebook_dropped", about, labels=("kind",))
        for kind, one in self._kinds.items():
            found.add_metric((kind,), one.dropped)
        yield found


class Lag(Collector):
    """How far this node's index is behind the change feed; for the node's indexer."""

    def __init__(self, index: IndexReader, store: Store) -> None:
        self._index = index
        self._store = store
        self._asking = Asking(self._behind)

    def _behind(self) -> Row | None:
        published = self._index.published()
        if published is None:
            return None
        position = published.position
        with self._store.transaction() as tx:
            return tx.row("feed.behind", txid=str(position.txid), seq=position.seq)

    def collect(self) -> Iterator[Metric]:
        published = self._index.published()
        if published is None:
            return
        about = "Rises with every commit that is published."
        yield _gauge("casebook_index_generation", about, published.generation)
        yield _gauge("casebook_index_documents", "Entries in the index.", published.documents)
        behind = self._asking.answer()
        if behind is None:
            return  # that PostgreSQL is away is told by casebook_database_up
        about = "Changes that the index has not applied."
        yield _gauge("casebook_index_behind_changes", about, behind["changes"])
        about = "Age of the oldest of them."
        yield _gauge("casebook_index_behind_seconds", about, behind["seconds"])


class Ground(Collector):
    """PostgreSQL as a whole; for one process of a node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = Asking(self._found)

    def _found(self) -> tuple[Row | None, list[Row]]:
        with self._store.transaction() as tx:
            return tx.row("system.ground"), tx.rows("system.letters")

    def collect(self) -> Iterator[Metric]:
        found = self._asking.answer()
        yield _gauge("casebook_database_up", "Whether PostgreSQL answers.", found is not None)
        if found is None:
            return
        row, letters = found
        assert row is not None
        for name, about in (
            ("connections", "Connections to PostgreSQL, of everyone."),
            ("connections_max", "Connections that PostgreSQL takes."),
            ("size_bytes", "Size of the database."),
        ):
            yield _gauge(f"casebook_database_{name}", about, row[name])
        about = "Age of the oldest transaction that holds the change feed back."
        yield _gauge("casebook_feed_held_seconds", about, row["feed_held_seconds"])
        dead = GaugeMetricFamily("casebook_dead_letters", "Dead letters.", labels=("state",))
        for one in letters:
            dead.add_metric((one["state"],), one["count"])
        yield dead


class Disk(Collector):
    """The disk that this node's data folder is on; for one process of a node."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def collect(self) -> Iterator[Metric]:
        usage = shutil.disk_usage(self._data)
        about = "How full the data folder's disk is."
        yield _gauge("casebook_disk_used_ratio", about, 1 - usage.free / usage.total)


class Queues(Collector):
    """Every queue and Redis itself, asked for in one write; for one process of a node."""

    def __init__(self, broker: StreamsBroker) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        try:
            states = queues.states(self._broker, self._broker.all_queues())
            memory = _memory(self._broker.link.ask_one((b"INFO", b"memory")))
        except (CasebookError, RedisError):
            yield _gauge("casebook_redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("casebook_redis_up", "Whether Redis answers.", 1)
        about = "Memory that Redis uses."
        yield _gauge("casebook_redis_memory_bytes", about, memory["used_memory"])
        about = "Memory that Redis may use, 0: any."
        yield _gauge("casebook_redis_memory_max_bytes", about, memory["maxmemory"])
        yield from _families(states)


class Admissions(Collector):
    """How many requests this process lets wait for each queue, and whom it refused."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        name, queue = "casebook_admission", ("queue",)
        about = "Requests of a queue that may be unanswered at once."
        limit = GaugeMetricFamily(f"{name}_limit", about, labels=queue)
        about = "Requests of a queue that are unanswered."
        in_flight = GaugeMetricFamily(f"{name}_in_flight", about, labels=queue)
        about = "What requests of a queue waited for a worker at least, lately."
        delay = GaugeMetricFamily(f"{name}_delay_seconds", about, labels=queue)
        about = "Requests that were sent to their queue."
        admitted = CounterMetricFamily(f"{name}_admitted", about, labels=queue)
        about = (
            "Requests refused; full: nobody was let in, share: their caller had more than others."
        )
        refused = CounterMetricFamily(f"{name}_refused", about, labels=(*queue, "reason"))
        for name, load in self._admission.loads().items():
            limit.add_metric((name,), load.limit)
            in_flight.add_metric((name,), load.in_flight)
            delay.add_metric((name,), load.delay)
            admitted.add_metric((name,), load.admitted)
            for reason, count in load.refused.items():
                refused.add_metric((name, reason), count)
        yield from (limit, in_flight, delay, admitted, refused)


def _families(states: Sequence[QueueState]) -> Iterator[Metric]:
    about = "Messages of a queue by where they are; dead: letters that are no rows yet."
    messages = GaugeMetricFamily("casebook_queue_messages", about, labels=("queue", "state"))
    about = "Age of the oldest message that waits or is in flight."
    oldest = GaugeMetricFamily("casebook_queue_oldest_seconds", about, labels=("queue",))
    about = "Reading threads whose heart beats."
    readers = GaugeMetricFamily("casebook_queue_readers", about, labels=("queue",))
    paused = GaugeMetricFamily("casebook_queue_paused", "1: it is paused.", labels=("queue",))
    about = "Deliveries of a queue by how they ended, since it began."
    ended = CounterMetricFamily("casebook_queue_deliveries", about, labels=("queue", "outcome"))
    for one in states:
        for state in ("waiting", "in_flight", "delayed", "suspects", "dead"):
            messages.add_metric((one.name, state), getattr(one, state))
        oldest.add_metric((one.name,), one.oldest_seconds or 0.0)
        readers.add_metric((one.name,), one.consumers)
        paused.add_metric((one.name,), one.paused is not None)
        for outcome, count in one.counts:
            ended.add_metric((one.name, outcome), count)
    yield from (messages, oldest, readers, paused, ended)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value)


def _memory(info: bytes) -> dict[str, int]:
    pairs = (line.partition(b":") for line in info.split(b"\r\n"))
    found = {name.decode(): value for name, _, value in pairs}
    return {name: int(found.get(name, b"0")) for name in ("used_memory", "maxmemory")}
