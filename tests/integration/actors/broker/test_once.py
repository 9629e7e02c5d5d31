"""Tokens: what was perhaps sent is sent again without harm."""

from collections.abc import Callable
from typing import Any

import dramatiq
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.keys import QueueKeys

Message = dramatiq.Message[Any]


def _message(queue_name: str, name: str = "one", **options: Any) -> Message:
    return dramatiq.Message(
        queue_name=queue_name, actor_name="work", args=(name,), kwargs={}, options=options
    )


def test_a_token_counts_once(
    broker: StreamsBroker, queue_name: str, consume: Callable[..., Consumer]
) -> None:
    """A message is enqueued the first time its token comes, also after it was delivered."""
    assert broker.enqueue_once(_message(queue_name), "t") is True
    assert broker.enqueue_once(_message(queue_name), "t") is False
    assert len(consume().take(5, 0)) == 1
    assert broker.enqueue_once(_message(queue_name), "t") is False
    assert broker.enqueue_once(_message(queue_name), "other") is True


def test_a_delayed_message_has_a_token_too(
    redis: Redis, keys: QueueKeys, broker: StreamsBroker, queue_name: str
) -> None:
    """A token counts once whether or not the message is delayed."""
    assert broker.enqueue_once(_message(queue_name), "t", delay=60_000) is True
    assert broker.enqueue_once(_message(queue_name), "t") is False
    assert redis.zcard(keys.delayed) == 1


def test_a_token_is_an_option_that_stays_behind(
    broker: StreamsBroker, queue_name: str, consume: Callable[..., Consumer]
) -> None:
    """The option `once` works in a plain enqueue, and the body that arrives has it no more."""
    for _ in range(2):
        broker.enqueue(_message(queue_name, once="t", kept=1))
    (delivery,) = consume().take(5, 0)
    assert delivery.options == {"kept": 1}


def test_tokens_are_forgotten_in_time(
    redis: Redis, redis_url: str, keys: QueueKeys, queue_name: str
) -> None:
    """A token lives as long as the broker was told."""
    broker = StreamsBroker(redis_url, once_lifetime=5_000)
    broker.declare_queue(queue_name)
    broker.enqueue_once(_message(queue_name), "t")
    assert 0 < redis.pttl(keys.once + "t") <= 5_000


def test_tokens_belong_to_their_queue(broker: StreamsBroker, queue_name: str) -> None:
    """The same token on another queue is another token."""
    broker.declare_queue(f"{queue_name}-b")
    assert broker.enqueue_once(_message(queue_name), "t")
    assert broker.enqueue_once(_message(f"{queue_name}-b"), "t")


def test_many_are_sent_in_one_write(
    broker: StreamsBroker, queue_name: str, consume: Callable[..., Consumer]
) -> None:
    """Of many messages those whose token is new are enqueued, in order, though scripts are lost."""
    broker.enqueue_once(_message(queue_name, "3"), "3")
    broker.link.ask((b"SCRIPT", b"FLUSH"))
    sent = broker.enqueue_many([(_message(queue_name, f"{n}"), f"{n % 8}") for n in range(16)])
    assert sent == [n < 8 and n != 3 for n in range(16)]
    assert [one.args[0] for one in consume().take(50, 0)] == ["3", *"0124567"]
    assert broker.enqueue_many([]) == []
