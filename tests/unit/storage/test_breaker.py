"""The circuit breaker: when it opens, whom it lets through, and what closes it."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.errors import CircuitOpen, EmbeddingUnavailable
from storage.breaker import Attempt, Breaker, State


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It stands still until told to go on."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """With the figures that are the default."""
    return Breaker("somewhere", clock=clock)


def failing(breaker: Breaker, times: int = 5) -> None:
    """So many attempts fail."""
    for _ in range(times):
        breaker.attempt().failed()


def is_refused(breaker: Breaker) -> bool:
    """Whether an attempt is refused now; one that is not is given back."""
    try:
        breaker.attempt().abandoned()
    except CircuitOpen:
        return True
    return False


def test_five_failures_within_a_minute_open_it(breaker: Breaker, clock: Clock) -> None:
    """The fifth opens it; whoever comes then is told when to come again."""
    failing(breaker, 4)
    clock.now += 60
    assert breaker.state == State.CLOSED
    failing(breaker, 1)
    assert breaker.circuit() == ("somewhere", State.OPEN, 1, 30.0)
    clock.now += 10
    with pytest.raises(CircuitOpen) as refused:
        breaker.attempt()
    assert refused.value.details == {"circuit": "somewhere", "retry_after": 20.0}


def test_failures_that_are_far_apart_do_not(breaker: Breaker, clock: Clock) -> None:
    """Five in more than a minute are life."""
    failing(breaker, 4)
    clock.now += 60.1
    failing(breaker, 4)
    assert breaker.state == State.CLOSED


def test_a_success_does_not_wipe_out_failures(breaker: Breaker) -> None:
    """What fails every second time is broken too."""
    for _ in range(5):
        breaker.attempt().succeeded()
        failing(breaker, 1)
    assert breaker.state == State.OPEN


def test_one_probe_is_let_through(breaker: Breaker, clock: Clock) -> None:
    """The others are refused until it reports; its success closes it."""
    failing(breaker)
    clock.now += 30
    assert breaker.circuit() == ("somewhere", State.HALF_OPEN, 1, 0.0)
    probe = breaker.attempt()
    assert is_refused(breaker)
    probe.succeeded()
    assert breaker.state == State.CLOSED
    failing(breaker, 4)
    assert breaker.state == State.CLOSED


def test_a_probe_that_fails_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    """For as long as before, and it is the same opening."""
    failing(breaker)
    clock.now += 31
    failing(breaker, 1)
    assert breaker.circuit() == ("somewhere", State.OPEN, 1, 30.0)


def test_a_probe_that_is_lost_blocks_nobody_for_ever(breaker: Breaker, clock: Clock) -> None:
    """After the same rest another is let through, and the lost one's word counts no more."""
    failing(breaker)
    clock.now += 30
    lost = breaker.attempt()
    clock.now += 29
    assert is_refused(breaker)
    clock.now += 1
    probe = breaker.attempt()
    lost.succeeded()
    assert breaker.state == State.HALF_OPEN
    probe.succeeded()
    assert breaker.state == State.CLOSED


def test_a_probe_that_learnt_nothing_gives_its_turn_back(breaker: Breaker, clock: Clock) -> None:
    """Whoever comes next is the probe."""
    failing(breaker)
    clock.now += 30
    breaker.attempt().abandoned()
    probe = breaker.attempt()
    assert is_refused(breaker)
    probe.succeeded()
    assert breaker.state == State.CLOSED


def test_reports_that_come_too_late_change_nothing(breaker: Breaker, clock: Clock) -> None:
    """Neither a success from before it opened nor a failure from before it closed."""
    early = [breaker.attempt() for _ in range(10)]
    failing(breaker)
    early[0].succeeded()
    assert breaker.state == State.OPEN
    clock.now += 30
    breaker.attempt().succeeded()
    for attempt in early[1:]:
        attempt.failed()
    assert breaker.state == State.CLOSED


def test_it_can_be_closed_from_outside(breaker: Breaker) -> None:
    """Somebody else has seen it work; the next opening takes as many failures as ever."""
    failing(breaker)
    breaker.close()
    failing(breaker, 4)
    assert breaker.circuit() == ("somewhere", State.CLOSED, 1, 0.0)


def test_only_what_is_named_is_a_fault(breaker: Breaker) -> None:
    """Another exception, or being canceled, says nothing about what was tried."""
    for error in (ValueError, asyncio.CancelledError) * 5:
        with pytest.raises(error), breaker.attempt(OSError):
            raise error
    assert breaker.state == State.CLOSED
    for _ in range(5):
        with pytest.raises(ConnectionError), breaker.attempt(OSError):
            raise ConnectionError
    assert breaker.state == State.OPEN


def test_the_first_report_counts(breaker: Breaker) -> None:
    """What was seen to work is not broken by what its caller does after."""
    for _ in range(5):
        with pytest.raises(RuntimeError), breaker.attempt() as attempt:
            attempt.succeeded()
            raise RuntimeError
    assert breaker.state == State.CLOSED


def test_it_refuses_in_its_owner_s_words(clock: Clock) -> None:
    """With the error that callers know."""
    breaker = Breaker("embedding", refusal=EmbeddingUnavailable, clock=clock)
    failing(breaker)
    with pytest.raises(EmbeddingUnavailable):
        breaker.attempt()


@pytest.mark.parametrize("threads", [16])
def test_of_many_threads_one_is_the_probe(breaker: Breaker, clock: Clock, threads: int) -> None:
    """They all come at once."""
    failing(breaker)
    clock.now += 30
    start, let_through = threading.Barrier(threads), list[Attempt]()

    def come() -> None:
        start.wait()
        try:
            let_through.append(breaker.attempt())
        except CircuitOpen:
            return

    callers = [threading.Thread(target=come) for _ in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(let_through) == 1


async def _tasks(breaker: Breaker, count: int) -> list[str]:
    said: list[str] = []

    async def ask() -> None:
        try:
            with breaker.attempt(OSError):
                await asyncio.sleep(0)
                said.append("asked")
        except CircuitOpen:
            said.append("refused")

    await asyncio.gather(*(ask() for _ in range(count)))
    return said


def test_of_many_tasks_one_is_the_probe(breaker: Breaker, clock: Clock) -> None:
    """It is the same on an event loop: nothing in it waits."""
    failing(breaker)
    clock.now += 30
    said = asyncio.run(_tasks(breaker, 10))
    assert sorted(said) == ["asked"] + ["refused"] * 9
    assert breaker.state == State.CLOSED


class Model(RuleBasedStateMachine):
    """Against a plain account of what was reported when, and by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker("model", failures=3, within=10.0, rest=5.0, clock=self.clock)
        self.out: list[tuple[Attempt, int]] = []  # attempts under way, and when they were let go
        self.step = 0  # how often the state has changed
        self.failures: list[float] = []  # since the last change
        self.closed = True
        self.refuses_until = 0.0
        self.probing = False

    def change(self, *, closed: bool, refuses_until: float = 0.0, probing: bool = False) -> None:
        """The account begins anew."""
        self.step += 1
        self.failures = []
        self.closed, self.refuses_until, self.probing = closed, refuses_until, probing

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.5, 5.0, 10.0, 10.5]))
    def time_passes(self, seconds: float) -> None:
        """Some."""
        self.clock.now += seconds

    @rule()
    def somebody_comes(self) -> None:
        """They are refused exactly while it rests, or while a probe that is not lost is out."""
        refuses = not self.closed and self.clock.now < self.refuses_until
        if refuses:
            with pytest.raises(CircuitOpen) as refused:
                self.breaker.attempt()
            assert 0 < refused.value.details["retry_after"] <= 5.0
            return
        attempt = self.breaker.attempt()
        if not self.closed:
            self.change(closed=False, refuses_until=self.clock.now + 5.0, probing=True)
        self.out.append((attempt, self.step))

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 100), how=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def somebody_reports(self, which: int, how: str) -> None:
        """It counts if nothing has changed since."""
        attempt, step = self.out.pop(which % len(self.out))
        report: Callable[[], None] = getattr(attempt, how)
        report()
        now = self.clock.now
        if step != self.step:
            return
        if self.probing:
            if how == "succeeded":
                self.change(closed=True)
            elif how == "failed":
                self.change(closed=False, refuses_until=now + 5.0)
            else:
                self.change(closed=False, refuses_until=now, probing=True)
        elif how == "failed":
            self.failures.append(now)
            if len([at for at in self.failures if now - at <= 10.0]) == 3:
                self.change(closed=False, refuses_until=now + 5.0)

    @rule()
    def somebody_else_sees_it_work(self) -> None:
        """It closes."""
        self.breaker.close()
        if not self.closed:
            self.change(closed=True)

    @invariant()
    def it_is_in_the_state_of_the_account(self) -> None:
        """Open while it rests, half-open from then on."""
        resting = not self.probing and self.clock.now < self.refuses_until
        expected = State.CLOSED if self.closed else State.OPEN if resting else State.HALF_OPEN
        assert self.breaker.state == expected


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=100, stateful_step_count=50)
