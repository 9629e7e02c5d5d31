"""The retry happens in the settle step: cut that step after any byte, and nothing is lost or
doubled."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Retry
from actors.broker.keys import QueueKeys
from contracts.errors import QueueUnavailable
from tests.support.proxy import Limit, Proxy
from tests.support.waiting import SOON

Send = Callable[..., dramatiq.Message[Any]]
#: Longer than a request or an answer of these tests.
ALL = 1_000_000


class Bench:
    """One consumer behind the proxy, and an eye on its queue that goes past the proxy."""

    def __init__(
        self, proxy: Proxy, redis: Redis, keys: QueueKeys, send: Send, consumer: Consumer
    ) -> None:
        self.proxy = proxy
        self.redis = redis
        self.keys = keys
        self.send = send
        self.consumer = consumer

    def places(self, message: dramatiq.Message[Any]) -> list[str]:
        """Everywhere that `message` is, seen in one step."""
        mark = message.message_id.encode()
        seen = self.redis.pipeline(transaction=True)
        for stream in (self.keys.waiting, self.keys.suspects, self.keys.dead):
            seen.xrange(stream)
        seen.zrange(self.keys.delayed, 0, -1)
        *streams, delayed = seen.execute()
        found = [
            name
            for name, entries in zip(("waiting", "suspects", "dead"), streams, strict=True)
            for _, fields in entries
            if mark in fields.get(b"body", b"")
        ]
        return found + ["delayed" for member in delayed if mark in member]

    def take(self) -> list[Delivery]:
        """What is there for the consumer now, all wake markers gone."""
        return self.surely(lambda: self.consumer.take(8, 0) or self.consumer.take(8, 0))

    def surely(self, ask: Callable[[], list[Delivery]]) -> list[Delivery]:
        """The answer to `ask`, asked again where the cut comes between two commands."""
        try:
            return ask()
        except QueueUnavailable:
            return ask()

    def end(self, outcome: Outcome, limit: Limit, and_take: int) -> list[Delivery]:
        """Send a message, run it, settle it under `limit` until the answer is definite; what was
        taken meanwhile."""
        message = self.send("one")
        (first,) = self.take()
        if and_take:
            self.send("next")
        first.outcome = outcome
        self.proxy.limit(limit)
        taken = []
        with contextlib.suppress(QueueUnavailable):
            taken = self.consumer.settle([first], and_take=and_take)
        self.proxy.limit(None)
        places = self.places(message)
        assert len(places) == 1 or (places == [] and isinstance(outcome, Done))
        if self.consumer._settling:
            assert limit.sprung.wait(SOON)
            taken = self.consumer.settle([first], and_take=and_take)
        return taken

    def drain(self, taken: list[Delivery]) -> list[Delivery]:
        """Run and settle all that is left; what it was."""
        ran = []
        while taken := taken or self.take():
            for one in taken:
                one.outcome = Done()
            ran += taken
            taken = self._done(taken)
        return ran

    def _done(self, ran: list[Delivery]) -> list[Delivery]:
        return self.surely(lambda: self.consumer.settle(ran))


@pytest.fixture
def bench(
    proxy: Proxy, redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> Bench:
    """A consumer that is connected through the proxy and has an empty queue."""
    bench = Bench(proxy, redis, keys, send, consume(url=proxy.url))
    assert bench.take() == []
    return bench


def _boundaries(data: bytes) -> Iterable[int]:
    """The first and last offset, and each beginning and end of a RESP argument or its length."""
    ends = [place + 2 for place in range(len(data)) if data[place : place + 2] == b"\r\n"]
    around = {offset + by for offset in (0, *ends) for by in (-2, -1, 0, 1)}
    return sorted(offset for offset in around | {len(data)} if 0 <= offset <= len(data))


def _length(bench: Bench, outcome: Outcome, of_answers: bool, and_take: int) -> bytes:
    """What a whole settle sends or is answered."""
    limit = Limit(ALL, of_answers)
    bench.drain(bench.end(outcome, limit, and_take))
    return bytes(limit.passed)


@pytest.mark.parametrize("of_answers", [False, True], ids=["request", "answer"])
def test_a_retry_cut_after_any_byte(
    bench: Bench, broker: StreamsBroker, keys: QueueKeys, of_answers: bool
) -> None:
    """Wherever its settle is cut, a failed message is in one place and runs exactly once more."""
    whole = _length(bench, Retry(0, {"retries": 1}), of_answers, 0)
    assert len(whole) >= 10
    for offset in range(len(whole) + 1):
        limit = Limit(offset, of_answers)
        ran = bench.drain(bench.end(Retry(0, {"retries": 1}), limit, 0))
        told = [(one.options["retries"], one.options["deliveries"]) for one in ran]
        assert told == [(1, 1)], offset
        assert sum(broker.depth(keys.queue).values()) == 0, offset


@pytest.mark.parametrize("of_answers", [False, True], ids=["request", "answer"])
@pytest.mark.parametrize("and_take", [0, 4], ids=["alone", "and take"])
@pytest.mark.parametrize("outcome", [Done(), Dead(Reason.FAILED)], ids=["done", "dead"])
def test_an_end_cut_at_any_boundary(
    bench: Bench,
    redis: Redis,
    broker: StreamsBroker,
    keys: QueueKeys,
    outcome: Outcome,
    and_take: int,
    of_answers: bool,
) -> None:
    """Wherever its settle is cut, a message ends once; what the same write took is run once."""
    whole = _length(bench, outcome, of_answers, and_take)
    for offset in _boundaries(whole):
        redis.delete(keys.dead)
        limit = Limit(offset, of_answers)
        ran = bench.drain(bench.end(outcome, limit, and_take))
        assert [one.args for one in ran] == [("next",)] * bool(and_take), offset
        dead = int(isinstance(outcome, Dead))
        assert broker.depth(keys.queue) == {
            "waiting": 0, "suspects": 0, "delayed": 0, "dead": dead,
        }, offset  # fmt: skip
