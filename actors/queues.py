"""The queues, by name, for a process that only asks: it need not know what is done in them."""

from actors.broker.broker import StreamsBroker

#: Those that any node serves.
SHARED = (
    "search",
    "semantic",
    "reads",
    "entries",
    "operators",
    "imports",
    "upkeep",
    "embedding",
    "analytics",
    "health",
    "warming",
)

INDEX = "index"


def queue_of(node: str) -> str:
    """The queue of one node's index."""
    return f"{INDEX}@{node}"


def producer_broker(url: str, node: str) -> StreamsBroker:
    """A broker with the queues declared, for a process that only asks."""
    broker = StreamsBroker(url)
    for queue in (*SHARED, queue_of(node)):
        broker.declare_queue(queue)
    return broker
