"""The names of a queue's keys. One hash tag a queue keeps each script in one cluster slot."""

from dataclasses import dataclass

GROUP = "workers"

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

    def _key(self, part: str) -> str:
        return f"casebook:{{{self.queue}}}:{part}"

    @property
    def waiting(self) -> str:
        return self._key("waiting")

    @property
    def suspects(self) -> str:
        return self._key("suspects")

    @property
    def delayed(self) -> str:
        return self._key("delayed")

    @property
    def dead(self) -> str:
        return self._key("dead")

    @property
    def alive(self) -> str:
        return self._key("alive:")

    @property
    def receipt(self) -> str:
        return self._key("receipt:")

    @property
    def once(self) -> str:
        return self._key("once:")

    @property
    def unique(self) -> str:
        return self._key("unique")

    @property
    def ticks(self) -> str:
        return self._key("ticks")

    @property
    def rules(self) -> str:
        return self._key("rules")

    @property
    def signal(self) -> str:
        return self._key("signal")

    @property
    def counts(self) -> str:
        return self._key("counts")


def kept(name: str) -> str:
    """Something small that a client keeps for others to find."""
    return f"casebook:kept:{name}"


def reply_list(client: str) -> str:
    """The one list on which a client process receives its replies."""
    return f"casebook:replies:{client}"
