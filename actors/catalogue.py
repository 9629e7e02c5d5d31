"""Every operation and every queue, on one screen."""

from dataclasses import dataclass
from typing import Any

from actors import (
    alerts,
    analytics,
    analytics_answers,
    analytics_lists,
    bulk,
    dead_letters,
    entries,
    errors,
    health,
    import_rejects,
    imports,
    index,
    mappings,
    replay,
    saved_searches,
    search,
    semantic,
    similar,
    system,
    tasks,
    traces,
    tuning,
    upkeep,
    warming,
)
from actors.actor import Operation, Operations
from actors.broker.broker import StreamsBroker
from actors.broker.worker import Reading
from actors.middleware import policies
from actors.queues import queue_of

#: On queues that any node serves.
SHARED: tuple[Operation[Any, Any], ...] = (
    search.query,
    search.fused,
    search.suggest,
    search.like,
    entries.get,
    entries.get_many,
    entries.versions,
    entries.list_page,
    imports.report,
    imports.list_page,
    import_rejects.list_page,
    imports.check,
    mappings.get,
    mappings.list_all,
    system.verify_key,
    system.database,
    index.status,
    entries.create,
    entries.update,
    entries.archive,
    entries.restore,
    entries.delete,
    entries.relate,
    imports.start,
    imports.chunk,
    imports.finish,
    imports.stop,
    mappings.save,
    mappings.delete,
    tasks.get,
    tasks.list_page,
    tasks.start,
    tasks.adopt,
    tasks.cancel,
    tasks.resume,
    tasks.sweep,
    dead_letters.list_page,
    dead_letters.count,
    dead_letters.groups,
    dead_letters.get,
    dead_letters.discard,
    dead_letters.restore,
    dead_letters.edit,
    replay.plan,
    replay.start,
    replay.move,
    bulk.count,
    bulk.start,
    bulk.count_undo,
    bulk.undo,
    bulk.change,
    bulk.skips,
    similar.find,
    similar.compare,
    similar.list_page,
    semantic.nearest,
    semantic.state,
    semantic.enable,
    semantic.disable,
    semantic.fill,
    semantic.follow,
    tuning.set_synonyms,
    tuning.pin,
    tuning.unpin,
    tuning.show,
    tuning.popularise,
    saved_searches.save,
    saved_searches.remove,
    saved_searches.list_all,
    saved_searches.matches,
    saved_searches.match,
    saved_searches.post,
    alerts.list_page,
    alerts.acknowledge,
    alerts.notify,
    traces.record,
    traces.get,
    traces.slow,
    errors.record,
    errors.list_page,
    errors.resolve,
    health.judge,
    health.observe,
    health.history,
    upkeep.archive,
    upkeep.prune,
    warming.warm,
    analytics.record,
    analytics.roll_up,
    analytics.keep,
    analytics_answers.dashboard,
    analytics_lists.queries,
    analytics_lists.entries,
    analytics_lists.entry,
    analytics_lists.activity,
    analytics_answers.latency,
    analytics_answers.report,
)

#: On the queue `index@NODE`.
OF_A_NODE: tuple[Operation[Any, Any], ...] = (
    index.follow,
    index.rebuild,
    index.check,
    index.backup,
    index.restore,
    index.verify,
)


@dataclass(frozen=True)
class Role:
    """What one process does. Bulk work has a process of its own, so that searches stay quick."""

    name: str
    readings: tuple[Reading, ...]
    #: How far its process yields the CPU to others (as nice(2)). Queues have threads of their
    #: own, so that none waits behind another: the CPU is what they compete for.
    nice: int = 0


def roles(node: str, search_threads: int, bulk_nice: int) -> dict[str, Role]:
    """The kinds of worker process, by name.

    Prefetch is small where a message takes long: what waits behind it could be elsewhere.
    """
    following = Reading(queue_of(node), threads=1, prefetch=1)
    return {
        "worker": Role(
            "worker",
            (
                Reading("search", threads=search_threads, prefetch=2),
                # By itself: an embedding endpoint that is slow holds up nobody else.
                Reading("semantic", threads=1, prefetch=1),
                Reading("reads", threads=2, prefetch=2),
                Reading("entries", threads=2, prefetch=1),
                Reading("operators", threads=1, prefetch=1),
            ),
        ),
        "importer": Role(
            "importer",
            (
                Reading("imports", threads=2, prefetch=1),
                Reading("upkeep", threads=1, prefetch=1),
                Reading("embedding", threads=1, prefetch=1),
                Reading("analytics", threads=1, prefetch=2),
                Reading("health", threads=1, prefetch=1),
                Reading("warming", threads=1, prefetch=1),
            ),
            nice=bulk_nice,
        ),
        "indexer": Role("indexer", (following,), nice=bulk_nice),
    }


def worker_broker(url: str, node: str) -> StreamsBroker:
    """A broker with every operation declared, for a process that runs them."""
    broker = StreamsBroker(url, policies())
    for operation in SHARED:
        operation.declare(broker)
    for operation in OF_A_NODE:
        operation.declare(broker, queue=queue_of(node))
    broker.resources[StreamsBroker] = broker
    broker.resources[Operations] = Operations(
        {operation.name: operation for operation in (*SHARED, *OF_A_NODE)}
    )
    return broker
