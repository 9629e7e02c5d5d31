"""The limit of unanswered requests, against workers of a known speed and a clock of its own."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.broker.limit import FEW, FEWEST, LONGER, MOST, SHRINK, Limit

TARGET = 0.05


@dataclass
class Server:
    """Workers that take requests in their order, and a gate of one limit before them."""

    workers: int
    service: float  # seconds of one request, in the mean
    now: float = 0.0
    flying: list[tuple[float, float, float]] = field(default_factory=list)  # done, waited, asked
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self.limit = Limit(TARGET, lambda: self.now)
        self.draw = random.Random(6)
        self._free = [0.0] * self.workers

    def offer(self, rate: float, seconds: float) -> None:
        """Requests at random times, so many a second."""
        end = self.now + seconds
        self.latencies.clear()
        self.refused = 0
        while self.now < end:
            self._advance(self.now + self.draw.expovariate(rate))
            if len(self.flying) < self.limit.size:
                self._ask()
            else:
                self.limit.wanted()
                self.refused += 1
        self.goodput = len(self.latencies) / seconds

    def clients(self, count: int, answers: int) -> None:
        """So many clients, each of whom asks when it has its answer."""
        self.refused = 0
        while len(self.flying) < count:
            self._ask()
        for _ in range(answers):
            self._advance(self.flying[0][0])
            while len(self.flying) < count:
                if len(self.flying) >= self.limit.size:
                    self.refused += 1
                    self.limit.wanted()
                    break
                self._ask()

    def p99(self) -> float:
        """Seconds."""
        return sorted(self.latencies)[len(self.latencies) * 99 // 100]

    def _ask(self) -> None:
        begun = max(self.now, heapq.heappop(self._free))
        done = begun + self.draw.expovariate(1 / self.service)
        heapq.heappush(self._free, done)
        heapq.heappush(self.flying, (done, begun - self.now, self.now))

    def _advance(self, to: float) -> None:
        while self.flying and self.flying[0][0] <= to:
            self.now, waited, asked = heapq.heappop(self.flying)
            self.limit.heard(waited)
            self.latencies.append(self.now - asked)
        self.now = to


@pytest.mark.parametrize(("workers", "service"), [(1, 0.002), (4, 0.004), (2, 0.02)])
def test_five_times_as_many_requests_are_answered_as_well_as_capacity_is(
    workers: int, service: float
) -> None:
    """Goodput stays, and what is answered waits at most three times as long as at capacity."""
    server, capacity = Server(workers, service), workers / service
    server.offer(capacity, 5)
    server.offer(capacity, 15)
    usual = server.p99()
    server.offer(5 * capacity, 3)
    server.offer(5 * capacity, 4)
    assert server.goodput > 0.95 * capacity
    assert server.p99() < 3 * usual
    assert server.p99() < 3 * LONGER * TARGET


def test_clients_who_wait_for_their_answers_are_not_refused() -> None:
    """Sixty-four are a team at work, not a flood, if they wait for less than a second."""
    server = Server(workers=1, service=0.006)
    server.clients(64, answers=5000)
    assert server.refused == 0


def test_it_grows_only_where_more_is_wanted_and_comes_back_when_the_load_ends() -> None:
    """What nobody needs is not allowed; a limit that overload made small is large again soon."""
    server, capacity = Server(workers=4, service=0.001), 4000
    server.offer(capacity / 8, 1)
    assert server.limit.size == FEW
    server.offer(5 * capacity, 2)
    assert FEW < server.limit.size < 3 * capacity * TARGET
    server.offer(capacity * 0.8, 1)
    server.offer(capacity * 0.8, 1)
    assert server.refused == 0


def test_workers_that_become_slow_and_quick_again_are_followed() -> None:
    """Forty times slower: fewer may wait; as quick as before: as many as before."""
    server = Server(workers=4, service=0.001)
    server.offer(8_000, 2)
    quick = server.limit.size
    server.service *= 40
    server.offer(8_000, 3)
    assert server.limit.size < quick / 2
    server.offer(8_000, 1)
    assert server.p99() < 3 * LONGER * TARGET
    server.service /= 40
    server.offer(8_000, 3)
    assert server.limit.size > quick / 2


def test_one_that_is_given_up_says_nothing_while_others_are_answered() -> None:
    """A slow operation is no long queue; where nobody is answered, what was given up tells."""
    now = 0.0
    limit = Limit(TARGET, lambda: now)
    now = 10.0
    limit.heard(1e-3)
    limit.heard(10.0)
    now = 20.0
    limit.heard(1e-3)
    assert limit.size == FEW
    now = 30.0
    for _ in range(100):
        limit.heard(10.0)  # all at once: judged once
    assert limit.size == FEW / 2


def test_one_long_queue_counts_once() -> None:
    """Those who were in it when the limit fell tell of it for as long as it takes to drain."""
    now = 0.0
    limit = Limit(TARGET, lambda: now)
    sizes = set()
    for turn in range(1, 12):
        now = 0.1 * turn
        limit.heard(2 * LONGER * TARGET)
        sizes.add(limit.size)
    assert sizes == {FEW * SHRINK}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("heard"), st.floats(0, 100)),
            st.tuples(st.sampled_from(("wanted", "later")), st.floats(0, 10)),
        ),
        max_size=200,
    )
)
def test_it_stays_within_its_bounds(steps: list[tuple[str, float]]) -> None:
    """Whatever is heard, and whenever: some may always ask, and never too many."""
    now = 0.0
    limit = Limit(TARGET, lambda: now)
    for step, value in steps:
        match step:
            case "heard":
                limit.heard(value)
            case "wanted":
                limit.wanted()
            case _:
                now += value
        assert FEWEST <= limit.size <= MOST
