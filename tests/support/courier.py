"""Delivers messages one by one, or two at the same moment, through a queue and all middleware."""

import threading
from typing import Any

import dramatiq

from actors.broker.consumer import Consumer
from actors.broker.delivery import Delivery, Outcome, Release
from actors.broker.link import Link
from actors.broker.worker import process
from contracts.base import new_id
from tests.support.house import House
from tests.support.waiting import SOON


class Courier:
    """One consumer of one queue, in the hands of a test."""

    def __init__(self, house: House, queue: str) -> None:
        self.house = house
        self.link = Link(house.broker.url)
        self._consumer = Consumer(self.link, house.broker.keys(queue), f"courier-{new_id()}")

    def take(self, message_id: str) -> Delivery:
        """The delivery of this message; the others of its queue are handed back."""
        for _ in range(int(SOON)):
            found: Delivery | None = None
            others = []
            for one in self._consumer.take(100, 1000):
                if found is None and one.message_id == message_id:
                    found = one
                else:
                    one.outcome = Release()
                    others.append(one)
            if others:
                self._consumer.settle(others)
            if found is not None:
                return found
        raise AssertionError(f"{message_id} is not in its queue")

    def run(self, delivery: Delivery) -> Outcome:
        """Run and settle it; how it ended."""
        process(self.house.broker, delivery, self.link)
        self._consumer.settle([delivery])
        assert delivery.outcome is not None
        return delivery.outcome

    def close(self) -> None:
        """Leave the queue."""
        self._consumer.leave()
        self.link.close()


def deliver(house: House, message: dramatiq.Message[Any]) -> Outcome:
    """Enqueue the message and run it; how it ended."""
    courier = Courier(house, message.queue_name)
    try:
        house.broker.enqueue(message)
        return courier.run(courier.take(message.message_id))
    finally:
        courier.close()


def deliver_at_once(house: House, message: dramatiq.Message[Any]) -> list[Outcome]:
    """Two deliveries of the message in two threads that begin together; how they ended."""
    couriers = [Courier(house, message.queue_name) for _ in range(2)]
    deliveries = []
    for courier in couriers:
        house.broker.enqueue(message)
        deliveries.append(courier.take(message.message_id))
    start, outcomes = threading.Barrier(2), []

    def run(courier: Courier, delivery: Delivery) -> None:
        start.wait(SOON)
        outcomes.append(courier.run(delivery))

    threads = [
        threading.Thread(target=run, args=pair) for pair in zip(couriers, deliveries, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SOON)
        assert not thread.is_alive(), "it hangs"
    for courier in couriers:
        courier.close()
    assert len(outcomes) == 2
    return outcomes
