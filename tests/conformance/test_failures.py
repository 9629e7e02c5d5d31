"""Laws of failure: what fails is tried again, and what can't succeed is kept."""

import json
import queue
import time
from collections.abc import Callable
from uuid import uuid4

import dramatiq
import pytest
from dramatiq.middleware import TimeLimitExceeded

from tests.conformance.contenders import Contender
from tests.support.proxy import Proxy
from tests.support.waiting import SOON, silent, take


def test_a_failing_actor_is_retried_to_success(contender: Contender, queue_name: str) -> None:
    """An actor that fails twice and then succeeds ends well, with three runs."""
    seen: queue.Queue[str] = queue.Queue()
    failures = iter((True, True, False))

    def work(word: str) -> None:
        seen.put(word)
        if next(failures):
            raise ValueError("as meant")

    contender.actor(work, queue_name, max_retries=5).send("again")
    contender.start()
    assert take(seen, 3) == ["again"] * 3
    assert silent(seen)
    assert contender.dead(queue_name) == []


@pytest.mark.parametrize(
    ("of_message", "of_actor", "runs"), [(None, None, 2), (None, 2, 3), (0, 2, 1)]
)
def test_options_resolve_message_actor_default(
    contender: Contender,
    queue_name: str,
    of_message: int | None,
    of_actor: int | None,
    runs: int,
) -> None:
    """`max_retries` is the message's, else the actor's, else the default (here 1)."""
    seen: queue.Queue[None] = queue.Queue()

    def work() -> None:
        seen.put(None)
        raise ValueError("as meant")

    actor_options = {} if of_actor is None else {"max_retries": of_actor}
    message_options = {} if of_message is None else {"max_retries": of_message}
    contender.actor(work, queue_name, **actor_options).send_with_options(**message_options)
    contender.start()
    contender.recorder.wait("after_nack", SOON)
    assert seen.qsize() == runs


def test_exhausted_messages_are_kept(contender: Contender, queue_name: str) -> None:
    """A message that is out of attempts is a dead letter with all that was sent."""

    def work(text: str) -> None:
        raise ValueError("as meant")

    sent = contender.actor(work, queue_name).send_with_options(args=("Größe",), colour="green")
    contender.start()
    contender.recorder.wait("after_nack", SOON)
    (body,) = contender.dead(queue_name)
    kept = json.loads(body)
    assert (kept["message_id"], kept["args"]) == (sent.message_id, ["Größe"])
    assert kept["options"]["colour"] == "green"


def test_a_retry_survives_a_lost_connection(
    contend: Callable[..., Contender], proxy: Proxy, queue_name: str
) -> None:
    """A message that fails while the broker can't be reached is run again when it's back."""
    contender = contend(url=proxy.url)
    if not contender.connected:
        pytest.skip("its messages are in memory")
    seen: queue.Queue[None] = queue.Queue()

    def work() -> None:
        seen.put(None)
        if seen.qsize() == 1:
            proxy.down()
            raise ValueError("as meant")

    contender.actor(work, queue_name).send()
    contender.start()
    contender.recorder.wait("after_process_message", SOON)  # the retry was tried, in vain
    proxy.up()
    contender.recorder.wait("after_process_message", 4.0)
    assert seen.qsize() == 2


def test_undecodable_bodies_are_kept(contender: Contender, queue_name: str) -> None:
    """Bytes that are no message are a dead letter; the messages around them run."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    bodies = [b"\xff\x00 not JSON", b"[1, 2]", b'{"queue_name": "no more"}']
    work.send("before")
    for body in bodies:
        contender.put(queue_name, body)
    work.send("after")
    contender.start(threads=1, prefetch=8)
    assert take(seen, 2, timeout=3.0) == ["before", "after"]
    assert contender.dead(queue_name) == bodies


@pytest.mark.parametrize(
    "odd",
    [{"options": None}, {"actor_name": ["work"]}, {"args": 5}, {"kwargs": []}, {"message_id": {}}],
    ids=lambda odd: next(iter(odd)),
)
def test_misshapen_messages_are_kept(
    contender: Contender, queue_name: str, odd: dict[str, object]
) -> None:
    """JSON that only resembles a message is a dead letter; the message behind it runs."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name, max_retries=0)
    body = json.dumps(work.message("odd").asdict() | odd).encode()
    contender.put(queue_name, body)
    work.send("after")
    contender.start(threads=1, prefetch=8)
    assert take(seen, 1, timeout=2.0) == ["after"]
    assert contender.dead(queue_name) == [body]


def test_an_unknown_actor_is_not_dead_at_once(contender: Contender, queue_name: str) -> None:
    """A message for an actor of another release waits; the messages behind it run."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    contender.broker.enqueue(
        dramatiq.Message(
            queue_name=queue_name,
            actor_name=f"new-{uuid4().hex}",
            args=(),
            kwargs={},
            options={},
        )
    )
    work.send("behind")
    contender.start()
    assert take(seen, 1) == ["behind"]
    contender.recorder.wait("after_ack", SOON)
    assert contender.dead(queue_name) == []


def test_time_limits_interrupt_an_actor(contender: Contender, queue_name: str) -> None:
    """An actor that runs past its time limit is interrupted and counts as failed."""
    seen: queue.Queue[type[BaseException]] = queue.Queue()

    def work() -> None:
        try:
            for _ in range(400):
                time.sleep(0.01)
        except TimeLimitExceeded as error:
            seen.put(type(error))
            raise

    contender.actor(work, queue_name, time_limit=50, max_retries=0).send()
    contender.start()
    assert take(seen, 1, timeout=3.0) == [TimeLimitExceeded]
    contender.recorder.wait("after_nack", SOON)
    assert len(contender.dead(queue_name)) == 1
