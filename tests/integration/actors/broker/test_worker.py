"""A running worker when the ground moves under it."""

import json
import logging
import queue
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import Middleware
from redis import Redis

from actors.broker import scripts
from actors.broker.broker import StreamsBroker
from actors.broker.keys import QueueKeys
from actors.broker.worker import GATHER, Worker
from actors.middleware import policies
from tests.support.letters import letters
from tests.support.proxy import Proxy
from tests.support.recorder import Recorder
from tests.support.waiting import SOON, silent, take

Send = Callable[..., dramatiq.Message[Any]]
Work = Callable[..., Worker]
Seen = "queue.Queue[str]"


def _actor(broker: StreamsBroker, queue_name: str, function: Callable[..., Any]) -> None:
    dramatiq.actor(function, broker=broker, queue_name=queue_name, actor_name="work")


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH"])
def test_a_server_that_forgets_is_taught_again(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    queue_name: str,
    command: str,
) -> None:
    """After every key or script is gone, an idle worker runs what is sent next, also delayed."""
    seen: queue.Queue[str] = queue.Queue()
    _actor(broker, queue_name, seen.put)
    work(threads=2)
    send("before")
    assert take(seen, 1) == ["before"]
    redis.execute_command(*command.split())
    for number in range(4):
        send(f"{number}")
    send("later", delay=50)
    assert sorted(take(seen, 5)) == ["0", "1", "2", "3", "later"]


@pytest.mark.parametrize("answer_lost", [True, False], ids=["answer lost", "request lost"])
def test_an_interrupted_settle_takes_nobody_with_it(
    proxy: Proxy,
    redis: Redis,
    send: Send,
    work: Work,
    queue_name: str,
    answer_lost: bool,
) -> None:
    """When a settle is cut off, the messages behind it still run once, and all are answered."""
    seen: queue.Queue[str] = queue.Queue()
    remote = StreamsBroker(proxy.url, policies())

    def run(name: str) -> None:
        time.sleep(1.5 * GATHER)  # so that the first of them are settled before the last
        seen.put(name)

    _actor(remote, queue_name, run)
    replies = f"replies-{queue_name}"
    sent = [send(f"{number}", reply_to=replies) for number in range(8)]
    needle = scripts.script("settle").sha
    trap = proxy.lose_answer(needle) if answer_lost else proxy.lose_request(needle)
    work(prefetch=8, on=remote)
    assert trap.sprung.wait(SOON)
    answered = set()
    while len(answered) < 8:
        _, frame = redis.blpop([replies], timeout=SOON)
        answered.add(frame.split()[0].decode())
    assert answered == {message.message_id for message in sent}
    counts = Counter(take(seen, 8))
    assert set(counts.values()) == {1}
    assert silent(seen)


def test_a_read_that_fails_strands_nothing(
    broker: StreamsBroker,
    send: Send,
    work: Work,
    queue_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A message that falls out of a thread's hands between two steps is found and run again."""
    caplog.set_level(logging.CRITICAL)
    seen: queue.Queue[str] = queue.Queue()
    _actor(broker, queue_name, seen.put)
    broker.add_middleware(_Interrupts())
    send("dropped")
    for number in range(3):
        send(f"{number}")
    work(prefetch=4)
    assert sorted(take(seen, 5)) == ["0", "1", "2", "dropped", "dropped"]


def test_an_unknown_actor_waits_longer_each_time(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message for an unknown actor is tried again without using attempts, then dead as such."""
    monkeypatch.setattr("actors.broker.worker.UNKNOWN_FOR", 1000)
    monkeypatch.setattr("actors.broker.worker.UNKNOWN_PAUSE", (20, 40))
    sent = send("one")
    work()
    (letter,) = letters(redis, keys, 1)
    options = json.loads(letter.body)["options"]
    assert letter.reason == "unknown_actor"
    assert letter.report["actor"] == sent.actor_name
    assert options["unknown_tries"] >= 2
    assert "retries" not in options


def test_an_unknown_actor_that_arrives_runs(
    broker: StreamsBroker,
    send: Send,
    work: Work,
    queue_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message for an actor that this release doesn't have yet runs once it has it."""
    monkeypatch.setattr("actors.broker.worker.UNKNOWN_PAUSE", (20, 40))
    recorder = Recorder()
    broker.add_middleware(recorder)
    seen: queue.Queue[str] = queue.Queue()
    send("early")
    work()
    recorder.wait("after_ack", SOON)
    _actor(broker, queue_name, seen.put)
    assert take(seen, 1) == ["early"]


class _Interrupts(Middleware):
    """Raises what no hook is shielded from, as a late time limit does: once for the success of
    the message, and once for the failure that this is taken for."""

    def __init__(self) -> None:
        self._left = 2

    def after_process_message(self, broker: dramatiq.Broker, message: Any, **ended: Any) -> None:
        if self._left and message.args == ("dropped",):
            self._left -= 1
            raise SystemExit("in the middle of a step")
