"""How a message ends, decided by plain calls: no server, no worker."""

from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import RateLimitExceeded
from dramatiq.errors import Retry as RetryLater
from dramatiq.middleware.shutdown import Shutdown

from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Retry
from actors.broker.history import HISTORY
from actors.middleware.retries import Retries, backoff, is_not_yet
from contracts.errors import (
    DatabaseUnavailable,
    DuplicateEntry,
    IndexUnavailable,
    QueueFull,
    QueueUnavailable,
    ValidationFailed,
)


def delivery_of(**options: Any) -> Delivery:
    """A message for the actor `work`, delivered at 1 s after the epoch."""
    message = dramatiq.Message(
        queue_name="q", actor_name="work", args=(), kwargs={}, options=options
    )
    body = message.encode()
    delivery = Delivery(
        message, origin="waiting", entry=b"1-0", crashes=0, body=body, worker="host-1"
    )
    delivery.started_ms = 1000.0
    return delivery


def decide(error: BaseException | None, *, actor: dict[str, Any], **options: Any) -> Outcome:
    """What Retries records when `work` ended with `error`."""
    retries = Retries(max_retries=3, min_backoff=100, max_backoff=1000)
    broker = StubBroker(middleware=[retries])
    dramatiq.actor(lambda: None, broker=broker, actor_name="work", **actor)
    delivery = delivery_of(**options)
    retries.after_process_message(broker, delivery, exception=error)
    assert delivery.outcome is not None
    return delivery.outcome


@pytest.mark.parametrize(
    ("error", "options", "outcome"),
    [
        (None, {}, "done"),
        (ValueError("x"), {}, "retry"),
        (ValueError("x"), {"retries": 2}, "retry"),
        (ValueError("x"), {"retries": 3}, "failed"),
        (ValueError("x"), {"reply_to": "r"}, "retry"),
        (DuplicateEntry(), {}, "refused"),
        (DuplicateEntry(), {"reply_to": "r"}, "done"),
        (ValidationFailed(), {}, "invalid"),
        (ValidationFailed(), {"reply_to": "r"}, "done"),
        (IndexUnavailable(), {}, "retry"),
        (IndexUnavailable(), {"retries": 3}, "failed"),
        (IndexUnavailable(), {"retries": 3, "deadline": 5, "reply_to": "r"}, "done"),
        (QueueFull(), {}, "retry"),
        (DatabaseUnavailable(), {}, "not yet"),
        (DatabaseUnavailable(), {"retries": 3}, "not yet"),
        (DatabaseUnavailable(), {"reply_to": "r"}, "not yet"),
        (DatabaseUnavailable(), {"deadline": 5, "reply_to": "r"}, "done"),
        (QueueUnavailable(), {}, "not yet"),
        (RateLimitExceeded("x"), {"retries": 3}, "not yet"),
        (Shutdown(), {"retries": 3}, "not yet"),
        (RetryLater("x"), {"retries": 3}, "not yet"),
    ],
)
def test_decisions(error: BaseException | None, options: dict[str, Any], outcome: str) -> None:
    """Each kind of ending has one outcome; "not yet" never uses an attempt."""
    match decide(error, actor={}, **options):
        case Done():
            decided = "done"
        case Dead(reason=reason):
            decided = reason.value
        case Retry(options={"snoozes": _, **rest}) if not rest:
            decided = "not yet"
        case Retry(options={"retries": retries}):
            assert retries == options.get("retries", 0) + 1
            decided = "retry"
        case other:
            decided = repr(other)
    assert decided == outcome


@pytest.mark.parametrize(
    ("message", "actor", "retried"),
    [
        ({}, {}, True),
        ({}, {"max_retries": 0}, False),
        ({"max_retries": 1}, {"max_retries": 0}, True),
        ({"max_retries": 0}, {"max_retries": 5}, False),
    ],
)
def test_options_resolve(message: dict[str, Any], actor: dict[str, Any], retried: bool) -> None:
    """An option is the message's, else the actor's, else the middleware's."""
    outcome = decide(ValueError("x"), actor=actor, **message)
    assert isinstance(outcome, Retry if retried else Dead)


def test_pauses_grow_to_a_longest() -> None:
    """A pause lies between half and all of its step, which doubles up to the longest."""
    for tries, full in ((0, 100), (1, 200), (3, 800), (4, 1000), (10_000, 1000)):
        pauses = [backoff(tries, 100, 1000) for _ in range(50)]
        assert full / 2 <= min(pauses) <= max(pauses) <= full
        assert len(set(pauses)) > 1


def test_pauses_follow_the_messages_options() -> None:
    """A message's own back-off replaces the default."""
    outcome = decide(ValueError("x"), actor={}, min_backoff=7000, max_backoff=7000)
    assert isinstance(outcome, Retry)
    assert 3500 <= outcome.delay <= 7000


@pytest.mark.parametrize(
    ("message", "actor", "longest"),
    [
        ({}, {}, 100),
        ({}, {"min_backoff": 800}, 800),
        ({}, {"min_backoff": 800, "max_backoff": 300}, 300),
        ({"min_backoff": 40}, {"min_backoff": 800}, 40),
        ({"max_backoff": 40}, {"min_backoff": 800}, 40),
        ({"min_backoff": "x", "max_backoff": -1}, {}, 100),
    ],
)
def test_pauses_resolve(message: dict[str, Any], actor: dict[str, Any], longest: int) -> None:
    """A pause is the message's, else the actor's, else the default; nonsense is passed over."""
    outcome = decide(ValueError("x"), actor=actor, **message)
    assert isinstance(outcome, Retry)
    assert longest / 2 <= outcome.delay <= longest


@pytest.mark.parametrize(
    ("error", "options", "outcome"),
    [
        (KeyError("k"), {}, "refused"),
        (KeyError("k"), {"reply_to": "r"}, "refused"),  # its caller is told no more than "error"
        (FileNotFoundError("f"), {}, "refused"),  # a subclass
        (ValueError("v"), {}, "retry"),
        (QueueFull(), {}, "refused"),
        (QueueFull(), {"reply_to": "r"}, "done"),
        (DatabaseUnavailable(), {}, "retry"),  # "not yet" comes first
    ],
)
def test_what_is_fatal_is_not_tried_again(
    error: BaseException, options: dict[str, Any], outcome: str
) -> None:
    """After an error that its actor calls fatal a message is dead, though it has attempts left."""
    fatal = (LookupError, OSError, QueueFull, DatabaseUnavailable)
    decided = decide(error, actor={"fatal": fatal}, **options)
    assert type(decided) is {"refused": Dead, "retry": Retry, "done": Done}[outcome]
    if isinstance(decided, Dead):
        assert decided.reason is Reason.REFUSED
        (attempt,) = decided.report["attempts"]
        assert attempt["error"].endswith(type(error).__qualname__)
        assert str(error) in attempt["traceback"]


def test_fatal_errors_have_a_default() -> None:
    """Where an actor names none, the middleware's are fatal; where it does, only its own."""
    retries = Retries(fatal=(ValueError,))
    broker = StubBroker(middleware=[retries])
    dramatiq.actor(lambda: None, broker=broker, actor_name="work")
    dramatiq.actor(lambda: None, broker=broker, actor_name="other", fatal=(KeyError,))
    ends = []
    for name in ("work", "other"):
        delivery = delivery_of()
        delivery.actor_name = name
        retries.after_process_message(broker, delivery, exception=ValueError("x"))
        ends.append(type(delivery.outcome))
    assert ends == [Dead, Retry]


def test_an_actor_may_name_its_pause() -> None:
    """dramatiq's Retry with a delay is followed to the millisecond."""
    assert decide(RetryLater("x", delay=1234), actor={}) == Retry(1234, {"snoozes": 1})


def test_attempts_are_remembered() -> None:
    """The first failed attempt and the newest are kept; the counter counts them all."""
    before = [{"at": n, "error": "e", "message": ""} for n in range(1, HISTORY + 1)]
    outcome = decide(
        ValueError("why"), actor={"max_retries": 90}, attempts=before, retries=70, first_failed=1
    )
    assert isinstance(outcome, Retry)
    attempts = outcome.options["attempts"]
    assert attempts[:-1] == [before[0], *before[2:]]
    assert (attempts[-1]["at"], attempts[-1]["worker"]) == (1000, "host-1")
    assert (outcome.options["retries"], outcome.options["first_failed"]) == (71, 1)


def test_the_first_failure_has_its_time() -> None:
    """`first_failed` is when the first failed attempt began; a snooze is no failure."""
    outcome = decide(ValueError("why"), actor={})
    assert isinstance(outcome, Retry)
    assert outcome.options["first_failed"] == 1000
    snoozed = decide(DatabaseUnavailable(), actor={})
    assert snoozed == Retry(snoozed.delay, {"snoozes": 1})  # type: ignore[union-attr]  # a Retry


def test_counters_are_apart() -> None:
    """An attempt ends a run of snoozes, a snooze leaves the attempts as they are, and each says
    that the actor is known after all."""
    unknown = {"unknown_since": 5, "unknown_tries": 2}
    failed = decide(ValueError("x"), actor={}, retries=1, snoozes=7, **unknown)
    assert isinstance(failed, Retry)
    assert (failed.options["retries"], failed.options["snoozes"]) == (2, None)
    snoozed = decide(DatabaseUnavailable(), actor={}, retries=1, snoozes=7, **unknown)
    assert isinstance(snoozed, Retry)
    assert snoozed.options == {"snoozes": 8} | dict.fromkeys(unknown)


@pytest.mark.parametrize("odd", ["x", None, -3, [], {"a": 1}])
def test_foreign_bookkeeping_is_no_trap(odd: object) -> None:
    """Counters and history that another producer wrote badly count as none."""
    outcome = decide(ValueError("x"), actor={}, retries=odd, attempts=odd, first_failed=odd)
    assert isinstance(outcome, Retry)
    assert (outcome.options["retries"], outcome.options["first_failed"]) == (1, 1000)


def test_a_dead_letter_tells_its_story() -> None:
    """The report of an exhausted message holds every attempt with its traceback."""
    outcome = decide(ValueError("why"), actor={"max_retries": 0})
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.FAILED
    assert [attempt["message"] for attempt in outcome.report["attempts"]] == ["why"]
    assert "ValueError: why" in outcome.report["attempts"][-1]["traceback"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((DatabaseUnavailable(), True), (QueueUnavailable(), True), (Shutdown(), True)),
        *((RateLimitExceeded("x"), True), (RetryLater("x"), True)),
        *((QueueFull(), False), (DuplicateEntry(), False), (OSError(), False)),
    ],
)
def test_not_yet(error: BaseException, expected: bool) -> None:
    """The ground being away, throttling and a soft stop are "not yet"; nothing else is."""
    assert is_not_yet(error) is expected
