"""settle.lua and the consumer that calls it: each message ends in exactly one place."""

from collections.abc import Callable
from typing import Any

import dramatiq
import orjson
import pytest
from redis import Redis

from actors.broker import queues, scripts
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Release, Retry
from actors.broker.keys import GROUP, QueueKeys
from contracts.errors import QueueUnavailable
from tests.support.letters import letters
from tests.support.proxy import Proxy
from tests.support.waiting import SOON

Send = Callable[..., dramatiq.Message[Any]]
SETTLE = scripts.script("settle").sha
NOWHERE = {"waiting": 0, "suspects": 0, "delayed": 0, "dead": 0}
LATER = 60_000  # ms


def _took(consumer: Consumer) -> Delivery:
    (delivery,) = consumer.take(1, 0)
    return delivery


def _settle(consumer: Consumer, delivery: Delivery, outcome: Outcome | None) -> None:
    delivery.outcome = outcome
    consumer.settle([delivery])


@pytest.mark.parametrize(
    ("outcome", "place"),
    [
        (Done(), None),
        (Retry(LATER, {"retries": 1}), "delayed"),
        (Release(), "waiting"),
        (Dead(Reason.FAILED), "dead"),
        (None, "delayed"),
    ],
    ids=["done", "retry", "release", "dead", "no outcome"],
)
def test_each_outcome_has_one_place(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    outcome: Outcome | None,
    place: str | None,
) -> None:
    """A settled message is pending nowhere and lies in the one place of its outcome."""
    send("one")
    consumer = consume()
    _settle(consumer, _took(consumer), outcome)
    assert redis.xpending(keys.waiting, GROUP)["pending"] == 0
    marker = {"waiting": 1} if place == "delayed" else {}
    assert broker.depth(keys.queue) == NOWHERE | marker | ({place: 1} if place else {})


def test_a_retry_carries_its_options(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """What is retried is the message that was sent, with the retry's options added."""
    sent = send("one", colour="green")
    consumer = consume()
    _settle(consumer, _took(consumer), Retry(LATER, {"retries": 1}))
    (member,) = redis.zrange(keys.delayed, 0, -1)
    body = orjson.loads(member.partition(b" ")[2])
    assert (body["message_id"], body["args"]) == (sent.message_id, ["one"])
    assert body["options"] == {"colour": "green", "retries": 1, "deliveries": 1}


def test_a_release_changes_no_byte(send: Send, consume: Callable[..., Consumer]) -> None:
    """A released message comes again exactly as it was."""
    send("one")
    consumer = consume()
    first = _took(consumer)
    _settle(consumer, first, Release())
    again = _took(consumer)
    assert (again.body, again.crashes, again.origin) == (first.body, 0, "waiting")


def test_a_dead_letter_says_why(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A dead letter holds the message's bytes, the reason and the report, spaces and all."""
    send("one")
    consumer = consume()
    delivery = _took(consumer)
    _settle(consumer, delivery, Dead(Reason.REFUSED, {"text": "a b\nc é"}))
    (letter,) = letters(redis, keys, 1)
    assert (letter.body, letter.reason) == (delivery.body, "refused")
    assert letter.report["text"] == "a b\nc é"


def test_a_claimed_message_is_lost(
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """A settle that comes after a claim changes nothing: the message is another's."""
    send("one")
    late, heir = consume("late"), consume("heir")
    delivery = _took(late)
    die(late)
    claim()
    taken = _took(heir)
    assert taken.origin == "suspects"
    _settle(late, delivery, Dead(Reason.FAILED))
    assert broker.depth(keys.queue)["dead"] == 0
    _settle(heir, taken, Done())
    assert broker.depth(keys.queue) | {"waiting": 0} == NOWHERE


def test_the_same_token_answers_the_same(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """Settled again with its token: the first answer, nothing changes; with another one: lost."""
    for name in ("one", "two"):
        send(name)
    consumer = consume()
    deliveries = consumer.take(2, 0)
    ended: list[str | bytes] = []
    for delivery in deliveries:
        ended += ["waiting", delivery.entry, "dead", "failed {}", delivery.body]
    ended += ["waiting", "1-1", "done", "", ""]
    names = (
        *(keys.waiting, keys.suspects, keys.delayed, keys.dead, keys.receipt + consumer.name),
        *(keys.unique, keys.rules, keys.signal, keys.counts),
    )
    words = [
        consumer.link.ask_one(
            scripts.call("settle", names, GROUP, consumer.name, token, LATER, 0, again, *ended)
        )
        for token, again in (("a", 0), ("a", 1), ("b", 1), ("a", 1))
    ]
    assert words == [[b"done", b"done", b"lost"]] * 2 + [[b"lost"] * 3, [b"done", b"done", b"lost"]]
    assert [letter.args for letter in letters(redis, keys, 0)] == [["one"], ["two"]]


@pytest.mark.parametrize("answer_lost", [True, False], ids=["answer lost", "request lost"])
@pytest.mark.parametrize("outcome", [Retry(LATER, {}), Dead(Reason.FAILED)], ids=["retry", "dead"])
def test_a_cut_settle_is_done_once(
    proxy: Proxy,
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    outcome: Outcome,
    answer_lost: bool,
) -> None:
    """Repeated after a cut, a settle has happened once, wherever the cut fell."""
    send("one")
    consumer = consume(url=proxy.url)
    delivery = _took(consumer)
    trap = proxy.lose_answer(SETTLE) if answer_lost else proxy.lose_request(SETTLE)
    with pytest.raises(QueueUnavailable):
        _settle(consumer, delivery, outcome)
    assert trap.sprung.wait(SOON)
    consumer.settle([delivery])
    assert consumer.take(5, 0) == []
    depth = broker.depth(keys.queue)
    assert depth["delayed"] + depth["dead"] == 1


def test_a_repeated_settle_tells_of_a_pause(
    proxy: Proxy, broker: StreamsBroker, send: Send, consume: Callable[..., Consumer]
) -> None:
    """After a lost answer, the repeat of a settle says too that nothing is to be begun."""
    send("one")
    consumer = consume(url=proxy.url)
    delivery = _took(consumer)
    queues.pause(broker, consumer.keys.queue, by="me")
    consumer.link.ask_one(scripts.load("settle"))  # or the lost answer may be "no such script"
    trap = proxy.lose_answer(SETTLE)
    with pytest.raises(QueueUnavailable):
        _settle(consumer, delivery, Done())
    assert trap.sprung.wait(SOON)
    consumer.settle([delivery])
    assert consumer.paused


def test_a_lone_reply_leaves_first(
    send: Send, consume: Callable[..., Consumer], redis: Redis, keys: QueueKeys
) -> None:
    """Its caller does not wait for the settle: here for one that can't even be written down."""
    send("one")
    consumer = consume()
    delivery = _took(consumer)
    delivery.reply = f"{keys.waiting}:replies", b"the reply"
    delivery.outcome = Retry(LATER, {"option": object()})
    with pytest.raises(TypeError):
        consumer.settle([delivery])
    assert redis.blpop([delivery.reply[0]], SOON) is not None
    delivery.outcome = Done()
    assert consumer.settle([delivery]) == []
    assert redis.xlen(keys.waiting) == 0


def test_settling_may_take_the_next(send: Send, consume: Callable[..., Consumer]) -> None:
    """With `and_take` the settle's own write brings new messages."""
    for name in ("one", "two"):
        send(name)
    consumer = consume()
    first = _took(consumer)
    first.outcome = Done()
    (second,) = consumer.settle([first], and_take=4)
    assert second.args == ("two",)


def test_what_a_lost_answer_held_comes_before_anything_new(
    proxy: Proxy, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A settle that is repeated after a cut takes nothing new over what its answer had held."""
    for name in ("one", "two", "three"):
        send(name)
    consumer = consume(url=proxy.url)
    first = _took(consumer)
    first.outcome = Done()
    trap = proxy.lose_answer(SETTLE)
    with pytest.raises(QueueUnavailable):
        consumer.settle([first], and_take=1)
    assert trap.sprung.wait(SOON)
    assert consumer.settle([first], and_take=1) == []
    assert [_took(consumer).args, _took(consumer).args] == [("two",), ("three",)]
