"""Law 3, "a message is in exactly one place", for any order of events: a model beside the real
broker, consumers and janitor on a real server.

`HYPOTHESIS_PROFILE=soak pytest tests/model` looks longer, and elsewhere each time.
"""

import itertools
import os
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

import dramatiq
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from actors.broker import queues, scripts
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Release, Retry
from actors.broker.heartbeat import Janitor
from actors.broker.keys import GROUP
from actors.broker.link import SCRIPTS, Link
from tests.model.ledger import Ledger
from tests.model.places import Queue, look

HOUR = 3_600_000  # ms
COMMON = settings(
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
#: The ordinary run is the same each time, so that a change is to blame for what it finds.
PROFILES = {
    "": settings(COMMON, derandomize=True, max_examples=100, stateful_step_count=40),
    "soak": settings(COMMON, derandomize=False, max_examples=3000, stateful_step_count=80),
}
OUTCOMES: list[Outcome] = [
    Done(),
    Retry(0, {"retries": 1}),
    Retry(HOUR, {"retries": 1}),
    Dead(Reason.FAILED),
    Release(),
]
DISTURBANCES = [
    *("fall_silent", "fall_silent", "go_on", "be_killed", "leave"),
    *("lose_the_connection", "lose_an_answer"),
]
RULINGS = ["pause", "resume", "resume", "1", "3", "no limit", "no limit"]
SLOTS = st.integers(0, 2)
SOME_OUTCOMES = st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4)


@dataclass
class Process:
    """A worker process with one consumer, and what it holds."""

    consumer: Consumer
    hands: list[Delivery] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The consumer's."""
        return self.consumer.name


class States(RuleBasedStateMachine):
    """Three worker processes, a janitor and a producer on one queue."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.redis = Redis.from_url(url)
        self.broker = StreamsBroker(url)
        self.queue = f"q-{uuid4().hex[:12]}"
        self.broker.declare_queue(self.queue)
        self.keys = self.broker.keys(self.queue)
        self.janitor = Janitor(url, [self.keys], HOUR)
        # A settle that the server does not know yet is run after the read that came behind it:
        # harmless, but only the first time, and a model has to be the same each time.
        for name in SCRIPTS:
            self.broker.link.ask_one(scripts.load(name))
        streams = (self.keys.waiting, self.keys.suspects)
        self.broker.link.ask_one(scripts.call("groups", streams, GROUP))
        self.ledger = Ledger()
        self.births = 0
        self.alive: set[str] = set()
        self.processes = [self._born() for _ in range(3)]

    def teardown(self) -> None:
        """Leave nothing behind on the shared server."""
        for process in self.processes:
            process.consumer.link.close()
        for link in (self.janitor._link, self.broker.link):
            link.close()
        self.redis.delete(*self.redis.keys(f"casebook:[{{]{self.queue}}}:*"))
        self.redis.close()

    # --- what happens to a queue

    @rule(delays=st.lists(st.sampled_from([None, None, HOUR]), min_size=1, max_size=6))
    def enqueue(self, delays: list[int | None]) -> None:
        """Messages are sent, for now or for later."""
        for delay in delays:
            message = dramatiq.Message(
                queue_name=self.queue,
                actor_name="work",
                args=(self.ledger.sent,),
                kwargs={},
                options={},
            )
            self.broker.enqueue(message, delay=delay)
            self.ledger.send(delayed=bool(delay))

    @rule(pick=SLOTS, count=st.integers(1, 16))
    @precondition(lambda self: self._idle() and self.ledger.ready())
    def take(self, pick: int, count: int) -> None:
        """A consumer with empty hands asks for messages."""
        idle = self._idle()
        self._take(self.processes[idle[pick % len(idle)]], count)

    @rule(pick=SLOTS, ruling=st.sampled_from(RULINGS))
    def govern(self, pick: int, ruling: str) -> None:
        """An operator pauses, resumes or limits the queue; a reader comes right after it."""
        match ruling:
            case "pause":
                queues.pause(self.broker, self.queue, by="me")
            case "resume":
                queues.resume(self.broker, self.queue, by="me")
            case _:
                self.ledger.limit = int(ruling) if ruling != "no limit" else None
                queues.limit(self.broker, self.queue, self.ledger.limit, by="me")
        self.ledger.paused = ruling == "pause" or (self.ledger.paused and ruling != "resume")
        if idle := self._idle():
            self._take(self.processes[idle[pick % len(idle)]], 3)

    @rule(pick=SLOTS, count=st.integers(1, 16), times=st.sampled_from([1, 1, 3, 4]))
    @precondition(lambda self: self._idle() and self.ledger.ready())
    def crash(self, pick: int, count: int, times: int) -> None:
        """Processes die one after the other under what they take, and are found dead."""
        for _ in range(times):
            idle = self._idle()
            slot = idle[pick % len(idle)]
            self._take(self.processes[slot], count)
            self._be_killed(slot)
            self.claim()

    def _take(self, process: Process, count: int) -> None:
        fresh = _is_fresh(process.consumer)
        held = self.ledger.held_by(process.name)
        assert fresh or not held, "only a new connection may find messages under an idle consumer"
        taken = process.consumer.take(count, 0)
        found = self.ledger.strand(process.name)
        if found:
            assert {one.args[0] for one in taken} == found
            self.ledger.hand_over(process.name, taken)
            process.hands = taken
        else:
            self._taken(process, taken, count)
            assert process.consumer.paused == self.ledger.paused

    @rule(
        pick=SLOTS,
        outcomes=SOME_OUTCOMES,
        many=st.sampled_from([1, 2, 16, 16]),
        again=st.sampled_from(["", "", "same token", "other token"]),
        and_take=st.sampled_from([0, 0, 1, 8]),
    )
    @precondition(lambda self: len(self._idle()) < len(self.processes))
    def settle(
        self, pick: int, outcomes: list[Outcome], many: int, again: str, and_take: int
    ) -> None:
        """A consumer ends what it holds or thinks it holds, perhaps twice."""
        holders = [process for process in self.processes if process.hands]
        process = holders[pick % len(holders)]
        ending, process.hands = process.hands[:many], process.hands[many:]
        for delivery, outcome in zip(ending, itertools.cycle(outcomes), strict=False):
            delivery.outcome = outcome
        reads = bool(and_take) and not (process.hands or again or _is_fresh(process.consumer))
        taken = self._settle(process, ending, "a token", and_take if reads else 0)
        for delivery in ending:
            self.ledger.end(process.name, delivery)
        assert process.consumer.paused == self.ledger.paused
        if again:
            self._settle(process, ending, "a token" if again == "same token" else "another", 0)
        process.consumer.link.ask((b"DEL", self.keys.receipt + process.name))  # used once
        if reads:
            self._taken(process, taken, and_take)

    @rule(pick=SLOTS, outcomes=SOME_OUTCOMES, count=st.integers(1, 16))
    @precondition(lambda self: self._idle() and self.ledger.ready())
    def work(self, pick: int, outcomes: list[Outcome], count: int) -> None:
        """What should happen most of the time: messages are taken and ended."""
        self.take(pick, count)
        if len(self._idle()) < len(self.processes):
            self.settle(pick, outcomes, 16, "", count)

    def _settle(
        self, process: Process, ending: list[Delivery], token: str, and_take: int
    ) -> list[Delivery]:
        process.consumer._settling = (token, ending, [])
        return process.consumer.settle(ending, and_take=and_take)

    @rule(pick=SLOTS, what=st.sampled_from(DISTURBANCES))
    def disturb(self, pick: int, what: str) -> None:
        """Something goes wrong with a process that is at work, or it is stopped."""
        slots = [slot for slot in range(3) if self.processes[slot].hands] or [0, 1, 2]
        getattr(self, f"_{what}")(slots[pick % len(slots)])

    def _fall_silent(self, slot: int) -> None:
        """A process is stopped for so long that its heartbeat ends; it does not know."""
        self._dies(self.processes[slot].name)

    def _go_on(self, slot: int) -> None:
        """A process that was silent goes on."""
        self._beats(self.processes[slot].name)

    def _be_killed(self, slot: int) -> None:
        """A process dies with all that it holds, and another one starts."""
        killed = self.processes[slot]
        killed.consumer.link.close()
        self._dies(killed.name)
        self.processes[slot] = self._born()

    def _leave(self, slot: int) -> None:
        """A process stops in order, perhaps before what it runs has ended; another one starts."""
        leaving = self.processes[slot]
        leaving.consumer.leave()
        self.alive.discard(leaving.name)
        leaving.consumer.link.close()
        self.processes[slot] = self._born()
        held = {one.place.origin for _, one in self.ledger.held_by(leaving.name)}
        consumers = look(self.redis, self.keys).consumers
        assert {origin for origin in consumers if leaving.name in consumers[origin]} == held

    def _lose_the_connection(self, slot: int) -> None:
        """A connection ends; what its process holds it goes on with."""
        self.processes[slot].consumer.link.close()

    def _lose_an_answer(self, slot: int) -> None:
        """A connection ends, and with it what was on its way to the consumer."""
        self._lose_the_connection(slot)
        self.processes[slot].hands = []

    @rule()
    def claim(self) -> None:
        """The janitor takes over from those whose heartbeat has ended."""
        self.janitor.claim()
        self.ledger.claim(self.alive)
        for stream, names in look(self.redis, self.keys).consumers.items():
            assert set(names) <= self.alive, f"a dead consumer is still known in {stream}"

    @rule(pick=st.integers(0, 1000))
    @precondition(lambda self: self.ledger.lying("delayed"))
    def time_passes(self, pick: int) -> None:
        """A delayed message is due. Its time is set back instead of waiting for it: the scripts
        read the server's clock, which no test can move."""
        delayed = self.ledger.lying("delayed")
        number, one = delayed[pick % len(delayed)]
        for member in self.redis.zrange(self.keys.delayed, 0, -1):
            if f'"args":[{number}]'.encode() in member:
                self.redis.zadd(self.keys.delayed, {member: 1})
        one.due = True

    # --- what must be true at any time

    @invariant()
    def everything_is_in_its_one_place(self) -> None:
        """Each message is where the model says, as the model says, and nowhere else."""
        queue = look(self.redis, self.keys)
        assert sorted(queue.messages, key=lambda found: found[0]) == self.ledger.places()
        assert len(queue.pending["suspects"]) <= 1
        assert queue.counts == self.ledger.counts
        self._nothing_is_left_over(queue)

    def _nothing_is_left_over(self, queue: Queue) -> None:
        for stream, pending in queue.pending.items():
            holding = [name for _, name in pending]
            assert {entry for entry, _ in pending} <= queue.entries[stream]
            assert set(holding) <= set(queue.consumers[stream]), "pending under nobody"
            assert queue.consumers[stream] == {
                name: holding.count(name) for name in queue.consumers[stream]
            }
        alive = {self.keys.alive + name for name in self.alive}
        kept = {key for key in queue.others if key.startswith(self.keys.receipt)}
        assert queue.others - kept - {self.keys.rules, self.keys.signal} == alive

    @invariant()
    def operators_see_it(self) -> None:
        """What an operator is told of the queue is what it is."""
        told = queues.state(self.broker, self.queue)
        places = Counter(place.name for _, place in self.ledger.places())
        assert (told.in_flight, told.suspects) == (places["delivered"], places["suspect"])
        assert (told.delayed, told.dead) == (places["delayed"], places["dead"])
        assert (bool(told.paused), told.limit) == (self.ledger.paused, self.ledger.limit)

    # --- the model's own steps

    def _idle(self) -> list[int]:
        return [slot for slot in range(3) if not self.processes[slot].hands]

    def _born(self) -> Process:
        self.births += 1
        process = Process(Consumer(Link(self.url), self.keys, f"process-{self.births}"))
        self._beats(process.name)
        return process

    def _beats(self, name: str) -> None:
        self.broker.link.ask_one(scripts.call("beat", (self.keys.alive + name,), HOUR))
        self.alive.add(name)

    def _dies(self, name: str) -> None:
        self.redis.delete(self.keys.alive + name)
        self.alive.discard(name)

    def _taken(self, process: Process, taken: list[Delivery], count: int) -> None:
        self.ledger.take(process.name, taken, count)
        process.hands = taken


def _is_fresh(consumer: Consumer) -> bool:
    """Whether its next read comes over a new connection."""
    link = consumer.link
    return not link._connected or consumer._seen_generation != link.generation


def test_any_order_of_events(redis_url: str) -> None:
    """Whatever happens to a queue, each message is in its one place, with what it is due."""
    profile = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "")]
    run_state_machine_as_test(lambda: States(redis_url), settings=profile)  # type: ignore[no-untyped-call]  # hypothesis's
