"""The names of a queue's keys. One hash tag a queue keeps each script in one cluster slot."""

from dataclasses import dataclass, field, fields

GROUP = "workers"
PREFIXES = ("alive", "receipt", "once")

#: A set: every queue that a worker has read. A node that is gone leaves its dead letters behind.
QUEUES = "casebook:queues"
#: What each worker process says of its start, by node and name.
PROCESSES = "casebook:processes"


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """Every key of one queue.

    waiting   stream: `body`, `crashes`; or `wake`, a marker that only ends a blocking read
    suspects  stream, as waiting, and `workers` (JSON): messages found under a dead consumer, run
              one at a time, alone; the consumers that died under each
    delayed   sorted set: score = due time in Unix ms (Redis's clock), member = "crashes body"
    dead      stream: `body`, `reason`, `report` (JSON)
    alive     prefix; + consumer: exists while that consumer's heartbeat does
    receipt   prefix; + consumer: what its last settle answered, for a repeat after a lost answer
    once      prefix; + token: exists where a message with that token was enqueued
    unique    hash: name of a unique message -> where the last one was put (lua/unique.lua)
    ticks     hash: name of a periodic message -> the last tick that was enqueued, Unix ms
    rules     hash: `paused` (JSON: by, at, reason), `limit` (most messages in hand at once)
    signal    stream of one entry: wakes readers that wait for a pause to end or a slot
    counts    hash: how many deliveries ended as `done`, `retry`, `dead`, `release`, ever
    """

    queue: str
    # Made once: a message asks for twenty of them.
    waiting: str = field(init=False, repr=False, compare=False)
    suspects: str = field(init=False, repr=False, compare=False)
    delayed: str = field(init=False, repr=False, compare=False)
    dead: str = field(init=False, repr=False, compare=False)
    alive: str = field(init=False, repr=False, compare=False)
    receipt: str = field(init=False, repr=False, compare=False)
    once: str = field(init=False, repr=False, compare=False)
    unique: str = field(init=False, repr=False, compare=False)
    ticks: str = field(init=False, repr=False, compare=False)
    rules: str = field(init=False, repr=False, compare=False)
    signal: str = field(init=False, repr=False, compare=False)
    counts: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for one in fields(self)[1:]:
            ending = ":" if one.name in PREFIXES else ""
            key = f"casebook:{{{self.queue}}}:{one.name}{ending}"
            object.__setattr__(self, one.name, key)


def kept(name: str) -> str:
    """Something small that a client keeps for others to find."""
    return f"casebook:kept:{name}"


def reply_list(client: str) -> str:
    """The one list on which a client process receives its replies."""
    return f"casebook:replies:{client}"
