"""Everything that a worker process has, in this one: for tests of operations and their messages."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from actors import upkeep
from actors.actor import Operation, Operations, actor
from actors.alerting.channels import Channels, Outage
from actors.alerting.samples import Node
from actors.analytics import EventRetention
from actors.broker.broker import StreamsBroker
from actors.broker.worker import Reading, Worker
from actors.catalogue import worker_broker
from actors.tracking import Tracked
from actors.upkeep import Retention
from actors.warming import Warmth
from contracts.base import Contract, Nothing, Write
from contracts.errors import NotFinished
from storage.breaker import Breaker
from storage.embedding.provider import Embedding
from storage.embedding.vectors import Embedders
from storage.index.searcher import IndexReader
from storage.postgres.store import Store
from tests.support.waiting import SOON

NODE = "test"


class Work(Write):
    """What to do."""

    text: str


class Worked(Contract):
    """It was done."""

    text: str


@dataclass
class Works:
    """A resource: what is broken, and how often each text was worked on."""

    broken: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, text: str) -> None:
        """Count it and tell who waits."""
        with self.changed:
            self.done[text] += 1
            self.changed.notify_all()

    def wait(self, **counts: int) -> None:
        """Return when each text was done that often. Fails when it isn't."""
        with self.changed:
            came = self.changed.wait_for(
                lambda: all(self.done[text] >= n for text, n in counts.items()), 2 * SOON
            )
        assert came, dict(self.done)


@actor(queue="tests", max_retries=1, time_limit=timedelta(seconds=20))
def work(command: Work, works: Works) -> Worked:
    """Do it, unless it is broken."""
    if command.text in works.broken:
        raise RuntimeError(f"{command.text} is broken")
    works.note(command.text)
    return Worked(text=command.text)


@actor(queue="tests", max_retries=0)
def dawdle(command: Work, works: Works, tracked: Tracked) -> Worked:
    """Take turns until it is let go, or canceled."""
    tracked.report(works.done["turn"], 100)
    works.note("turn")
    if not works.held.is_set():
        raise NotFinished(delay=20)
    return Worked(text=command.text)


@dataclass
class House:
    """A worker's broker with its resources; `running` starts the worker."""

    broker: StreamsBroker
    store: Store
    works: Works

    @property
    def operations(self) -> Operations:
        """Every operation by name, the tests' too."""
        found: Operations = self.broker.resources[Operations]
        return found

    def send(self, operation: Operation[Any, Any], request: Contract, **options: Any) -> str:
        """Enqueue a request, to be tried again at once; its message's id."""
        message = operation.message(request, min_backoff=1, max_backoff=1, **options)
        return self.broker.enqueue(message).message_id

    def call(self, operation: Operation[Any, Any], request: Contract) -> Any:
        """The operation's result, called as a function with what it needs."""
        needs = {name: self.broker.resources[kind] for name, kind in operation.needs.items()}
        return operation(request, **needs)

    def archive(self) -> None:
        """Make rows of what has died."""
        upkeep.archive(Nothing(), self.store, self.broker)

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """What a statement of the test's own finds."""
        with self.store.transaction() as tx:
            return tx.connection.execute(sql.encode(), parameters).fetchall()

    @contextmanager
    def running(self, *queues: str, threads: int = 2) -> Iterator[Worker]:
        """A worker on these queues; all that it ran has ended when it is left."""
        readings = [Reading(queue, threads=threads, prefetch=4) for queue in queues]
        worker = Worker(self.broker, readings)
        worker.start()
        try:
            yield worker
        finally:
            assert worker.stop(SOON)

    def until(self, sql: str, *parameters: Any) -> None:
        """Return when the statement finds something. Fails when it never does.

        PostgreSQL has no signal for a row that changes in its table: it is asked every 20 ms.
        """
        pause = threading.Event()
        for _ in range(int(2 * SOON / 0.02)):
            if self.rows(sql, *parameters):
                return
            pause.wait(0.02)
        raise AssertionError(f"never: {sql} {parameters}")


def make_house(redis_url: str, store: Store, index_folder: Any) -> House:
    """A house on these servers, with the tests' operations beside the real ones."""
    broker = worker_broker(redis_url, NODE)
    works = Works()
    for operation in (work, dawdle):
        operation.declare(broker)  # type: ignore[attr-defined]  # a list of mixed Operations
        broker.resources[Operations][operation.name] = operation
    broker.resources |= {
        Store: store,
        Works: works,
        IndexReader: IndexReader(index_folder),
        Retention: Retention(days=90, letters=1_000_000),
        EventRetention: EventRetention(days=90),
        Tracked: Tracked(broker, store),
        Node: Node(NODE, Path(index_folder).parent),
        Embedders: Embedders(Embedding()),
        Channels: Channels(),
        Outage: Outage(Channels()),
        Warmth: Warmth("", Breaker("cache"), Path(index_folder)),
    }
    return House(broker, store, works)
