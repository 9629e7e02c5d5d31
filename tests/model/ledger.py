"""The model: where each message of a queue should be, kept up by plain rules."""

from collections import Counter
from dataclasses import dataclass, replace

from actors.broker.delivery import Dead, Delivery, Done, Release, Retry
from actors.broker.heartbeat import CRASH_LIMIT
from tests.model.places import Place


@dataclass
class Known:
    """What the model knows of one message."""

    place: Place
    entry: bytes = b""  # delivered: the entry that was handed out
    turn: int = 0  # waiting: those of a lower turn come first
    due: bool = False  # delayed: whether its time has come


class Ledger:
    """Every message that is not done, by its number."""

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        self.sent = 0
        self.paused = False
        self.limit: int | None = None  # most messages in hand at once
        self.counts: Counter[str] = Counter()  # how deliveries ended
        self._turns = 0

    def places(self) -> list[tuple[int, Place]]:
        """Where each message should be."""
        return [(number, one.place) for number, one in sorted(self.known.items())]

    def lying(self, name: str) -> list[tuple[int, Known]]:
        """The messages in one kind of place."""
        return [(number, one) for number, one in self.known.items() if one.place.name == name]

    def held_by(self, consumer: str) -> list[tuple[int, Known]]:
        """The messages that are delivered to a consumer."""
        held = self.lying("delivered")
        return [(number, one) for number, one in held if one.place.consumer == consumer]

    def room(self) -> int:
        """How many more messages may be handed out."""
        most = 10_000 if self.limit is None else self.limit - len(self.lying("delivered"))
        return 0 if self.paused else max(0, most)

    def ready(self) -> bool:
        """Whether a read would bring something, unless the only suspects wait for another one."""
        if not self.room():
            return False
        due = any(one.due for _, one in self.lying("delayed"))
        return due or bool(self.lying("waiting") or self.lying("suspect"))

    def send(self, *, delayed: bool) -> None:
        """The next message."""
        place = Place("delayed" if delayed else "waiting")
        self.known[self.sent] = Known(place, turn=self._turn())
        self.sent += 1

    def take(self, consumer: str, taken: list[Delivery], count: int) -> None:
        """Check that `taken` is what a read of `count` must hand out, and note it."""
        room = self.room()
        if room:
            self._promote()
        tried = [one for _, one in self.lying("delivered") if one.place.origin == "suspects"]
        if room and self.lying("suspect") and not tried:
            origins = [one.origin for one in taken]
            assert origins == ["suspects"], "a suspect comes first, and alone"
        else:
            self._check_order(taken, min(count, room))
        for delivery in taken:
            one = self.known[delivery.args[0]]
            assert one.place.name == ("suspect" if delivery.origin == "suspects" else "waiting")
            one.place = replace(
                one.place, name="delivered", consumer=consumer, origin=delivery.origin
            )
        self.hand_over(consumer, taken)

    def _promote(self) -> None:
        turn = self._turn()
        for _, one in self.lying("delayed"):
            if one.due:
                one.place, one.turn, one.due = replace(one.place, name="waiting"), turn, False

    def _check_order(self, taken: list[Delivery], count: int) -> None:
        assert {one.origin for one in taken} <= {"waiting"}
        assert len(taken) <= count
        assert taken or not count or not self.lying("waiting"), "some wait, and a reader gets none"
        numbers = [one.args[0] for one in taken]
        turns = [self.known[number].turn for number in numbers]
        later = [one.turn for number, one in self.lying("waiting") if number not in numbers]
        assert turns == sorted(turns)
        assert not turns or not later or turns[-1] <= min(later), "first in, first out"

    def strand(self, consumer: str) -> set[int]:
        """What a consumer finds under its name over a new connection; what the queue's rules no
        longer let it have goes back."""
        found = set()
        for origin in ("suspects", "waiting"):
            held = [pair for pair in self.held_by(consumer) if pair[1].place.origin == origin]
            in_hand = len(self.lying("delivered"))
            if self.paused or (self.limit is not None and in_hand > self.limit):
                turn = self._turn()
                for _, one in held:
                    self._release(one, turn)
            else:
                found |= {number for number, _ in held}
        return found

    def hand_over(self, consumer: str, deliveries: list[Delivery]) -> None:
        """Check what comes with deliveries, now or after it was lost on its way, and note it."""
        for delivery in deliveries:
            one = self.known[delivery.args[0]]
            told = delivery.crashes, delivery.died_under, delivery.worker
            assert told == (one.place.crashes, one.place.died_under, consumer)
            one.entry = delivery.entry

    def end(self, consumer: str, delivery: Delivery) -> None:
        """A delivery is settled; what another has, or had since, is not this consumer's to end."""
        number: int = delivery.args[0]
        one = self.known.get(number)
        if one is None or (one.entry, one.place.consumer) != (delivery.entry, consumer):
            return
        place = one.place
        deliveries = place.deliveries + len(place.died_under) + 1
        match delivery.outcome:
            case Done():
                del self.known[number]
                self.counts["done"] += 1
            case Retry(delay=delay):
                one.place, one.due = Place("delayed", deliveries=deliveries), delay == 0
                self.counts["retry"] += 1
            case Dead(reason=reason):
                one.place = Place("dead", deliveries=deliveries, reason=reason)
                self.counts["dead"] += 1
            case Release():
                self._release(one, self._turn())

    def claim(self, alive: set[str]) -> None:
        """What the dead held is suspect or, after too many crashes alone, poison."""
        for _, one in self.lying("delivered"):
            place = one.place
            if place.consumer in alive:
                continue
            crashes = place.crashes + (place.origin == "suspects")
            died_under = (*place.died_under, place.consumer)
            if crashes < CRASH_LIMIT:
                one.place = Place(
                    "suspect", crashes=crashes, died_under=died_under, deliveries=place.deliveries
                )
            else:
                deliveries = place.deliveries + len(died_under)
                one.place = Place("dead", deliveries=deliveries, reason="poison")
                self.counts["dead"] += 1

    def _release(self, one: Known, turn: int) -> None:
        name = "suspect" if one.place.origin == "suspects" else "waiting"
        one.place = replace(one.place, name=name, consumer="", origin="")
        one.turn = turn
        self.counts["release"] += 1

    def _turn(self) -> int:
        self._turns += 1
        return self._turns
