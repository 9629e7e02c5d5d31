"""What dead letters tell, whatever made them, and what may not make one."""

import logging
from collections.abc import Callable
from typing import Any

import dramatiq
import orjson
import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Delivery, Done, Reason, Release, Retry
from actors.broker.encoding import BOOKKEEPING, MESSAGE_MAX
from actors.broker.heartbeat import CRASH_LIMIT
from actors.broker.history import HISTORY
from actors.broker.keys import QueueKeys
from actors.broker.worker import Worker
from tests.support.letters import letters
from tests.support.operations import break_down, declare, echo, refuse
from tests.support.waiting import SOON

Send = Callable[..., dramatiq.Message[Any]]
ALWAYS = {"attempts", "deliveries", "worker", "at"}
FAILED_BEFORE = [{"at": 1, "error": "builtins.ValueError", "message": "é", "traceback": "a\nb"}]


def _one(consumer: Consumer) -> Delivery:
    (delivery,) = consumer.take(8, 0)  # more than one: a wake marker may lie before it
    return delivery


def _now(redis: Redis) -> float:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types both of its clients
    return float(seconds * 1000 + micros / 1000)


def _crash(
    times: int,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> list[str]:
    """Let so many consumers die under the only message; their names."""
    names = [f"victim-{number}" for number in range(times)]
    for name in names:
        victim = consume(name)
        _one(victim)
        die(victim)
        claim()
    return names


def test_poison_tells_under_whom(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """A poison letter names the workers that died, its failures before, and who decided."""
    send("killer", attempts=FAILED_BEFORE, deliveries=2)
    names = _crash(1 + CRASH_LIMIT, consume, die, claim)
    (letter,) = letters(redis, keys, 1)
    assert abs(letter.report.pop("at") - _now(redis)) < 1000 * SOON
    assert letter.report == {
        "crashes": CRASH_LIMIT,
        "workers": names,
        "attempts": FAILED_BEFORE,
        "deliveries": 2 + len(names),
        "worker": "janitor",
    }


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"options": 5}', b'{"options": {"attempts": {}, "deliveries": null}}']
)
def test_poison_need_not_be_readable(
    redis: Redis,
    keys: QueueKeys,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
    body: bytes,
) -> None:
    """A body whose options can't be read is judged like any other, with what is known."""
    consumer = consume("last")
    consumer.take(1, 0)
    redis.xadd(keys.suspects, {"body": body, "crashes": CRASH_LIMIT - 1})
    redis.xreadgroup("workers", "last", {keys.suspects: ">"})
    die(consumer)
    claim()
    (letter,) = letters(redis, keys, 1)
    assert (letter.body, letter.reason) == (body, "poison")
    assert letter.report | {"at": 0} == {
        "crashes": CRASH_LIMIT,
        "workers": ["last"],
        "attempts": [],
        "deliveries": 1,
        "worker": "janitor",
        "at": 0,
    }


def test_a_suspect_that_is_handed_back_keeps_its_past(
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """Its crashes and the names of the dead stay with a suspect that is released."""
    send("one")
    names = _crash(2, consume, die, claim)
    one, two = consume("one"), consume("two")
    suspect = _one(one)
    suspect.outcome = Release()
    one.settle([suspect])
    again = _one(two)
    assert (again.crashes, list(again.died_under), again.worker) == (1, names, "two")


def test_a_suspects_crashes_are_deliveries(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """A suspect that fails and dies later counts the deliveries that workers died under."""
    send("one")
    _crash(2, consume, die, claim)
    heir = consume("heir")
    suspect = _one(heir)
    suspect.outcome = Retry(0, {"retries": 1})
    heir.settle([suspect])
    again = _one(heir)
    assert (again.origin, again.options["deliveries"]) == ("waiting", 3)
    again.outcome = Dead(Reason.FAILED)
    heir.settle([again])
    (letter,) = letters(redis, keys, 1)
    assert (letter.report["deliveries"], letter.report["worker"]) == (4, "heir")


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (MESSAGE_MAX, "undecodable"),
        (MESSAGE_MAX + BOOKKEEPING + 1, "too_large"),
        (2 * MESSAGE_MAX, "too_large"),
    ],
)
def test_what_is_too_long_is_not_decoded(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    length: int,
    reason: str,
) -> None:
    """A body that no producer of ours wrote is dead unread; the message behind it arrives."""
    redis.xadd(keys.waiting, {"body": b"[" * length, "crashes": 0})
    send("fine")
    assert [one.args for one in consume().take(5, 0)] == [("fine",)]
    (letter,) = letters(redis, keys, 1)
    assert (len(letter.body), letter.reason) == (length, reason)
    assert set(letter.report) > ALWAYS
    assert (letter.report["attempts"], letter.report["deliveries"]) == ([], 1)


def test_only_what_was_tried_may_have_grown(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A message that is a byte too long is refused, unless it is one that came back."""
    fields = orjson.loads(send("").encode())
    assert len(consume("first").take(1, 0)) == 1
    room = MESSAGE_MAX - len(orjson.dumps(fields))
    fields["args"] = ["x" * (room + 1)]
    for options in ({}, {"deliveries": 1}):
        body = orjson.dumps(fields | {"options": options})
        redis.xadd(keys.waiting, {"body": body, "crashes": 0})
    (grown,) = consume().take(5, 0)
    assert grown.options == {"deliveries": 1}
    assert [letter.reason for letter in letters(redis, keys, 1)] == ["too_large"]


def test_a_bare_entry_is_read(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """An entry with nothing but a body is a message, and a suspect in its time."""
    body = send("one").encode()
    first, second = consume("first"), consume("second")
    _one(first)
    redis.xadd(keys.waiting, {"body": body})
    _one(second)
    die(second)
    claim()
    suspect = _one(consume("third"))
    assert (suspect.body, suspect.crashes, suspect.died_under) == (body, 0, ("second",))
    suspect.outcome = Done()


def test_the_longest_message_fails_to_its_end(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    work: Callable[..., Worker],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A message as long as they come is tried as often as a short one, then dead, whole."""
    times = HISTORY + 3
    caplog.set_level(logging.CRITICAL)  # what UTF-8 can't hold, test reports can't either

    def fail(text: str) -> None:
        raise ValueError("why \udcff" * 200)  # with what UTF-8 can't hold

    dramatiq.actor(
        fail,
        broker=broker,
        queue_name=keys.queue,
        actor_name="work",
        max_retries=times - 1,
        min_backoff=1,
        max_backoff=1,
    )
    text = "x" * (MESSAGE_MAX - len(send("", delay=10**9).encode()))
    redis.delete(keys.delayed)
    send(text)
    worker = work()
    (letter,) = letters(redis, keys, 1)
    report = letter.report
    assert (letter.args, letter.reason) == ([text], "failed")
    assert report["deliveries"] == times
    assert report["worker"].startswith(worker.name)
    assert 2 <= len(report["attempts"]) <= HISTORY
    options = orjson.loads(letter.body)["options"]
    assert options["first_failed"] == report["attempts"][0]["at"]
    assert "ValueError: why" in report["attempts"][-1]["traceback"]


def test_each_end_has_its_reason(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    work: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that can't be run dies its own death; the good messages around it are all done."""
    monkeypatch.setattr("actors.broker.worker.UNKNOWN_FOR", 100)
    monkeypatch.setattr("actors.broker.worker.UNKNOWN_PAUSE", (20, 40))
    ran = declare(broker, keys.queue)
    invalid = echo.message({"text": 5, "tone": "loud"}, queue=keys.queue)
    unknown = dramatiq.Message(
        queue_name=keys.queue, actor_name="newer.work", args=(), kwargs={}, options={}
    )
    refused = refuse.message({"text": "again"}, queue=keys.queue)
    failed = break_down.message({"text": "down"}, queue=keys.queue)
    bad = {
        "invalid": invalid.encode(),
        "unknown_actor": unknown.encode(),
        "undecodable": b'{"actor_name": "system.echo", "args": [',
        "too_large": b" " * (2 * MESSAGE_MAX),
        "refused": refused.encode(),
        "failed": failed.encode(),
    }
    for number, body in enumerate(bad.values()):
        broker.enqueue(echo.message({"text": f"{number}"}, queue=keys.queue))
        redis.xadd(keys.waiting, {"body": body, "crashes": 0})
    broker.enqueue(echo.message({"text": "last"}, queue=keys.queue))
    worker = work(prefetch=4)
    dead = {letter.reason: letter for letter in letters(redis, keys, len(bad))}
    assert ran.wait(len(bad) + 1, SOON)
    assert ran.texts == [*(f"{number}" for number in range(len(bad))), "last"]
    assert set(dead) == set(bad)
    for reason, letter in dead.items():
        assert set(letter.report) >= ALWAYS
        assert letter.report["worker"].startswith(worker.name)
        assert len(letter.report["attempts"]) == (reason in ("invalid", "refused", "failed"))
        assert (letter.report["deliveries"] > 1) is (reason == "unknown_actor")
        assert letter.body == bad[reason] or reason == "unknown_actor"
    assert "newer.work" in dead["unknown_actor"].body.decode()
