"""Who is let in: places, shares of callers, and what a refusal says."""

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.broker.admission import AGAIN, STRANGER, Admission, Gate, Place
from actors.broker.limit import FEW
from contracts.errors import Overloaded, from_dict
from contracts.operation import called_by

CLIENTS = 64  # of one key; fewer than three quarters of the places


class Time:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    """A clock that stands still."""
    return Time()


@pytest.fixture
def gate(time: Time) -> Gate:
    """A gate that nobody has passed."""
    return Gate("search", 0.05, time)


def fill(gate: Gate, by: str) -> list[Place]:
    """All places that this caller gets."""
    places = []
    while gate.refusal(by) is None:
        places.append(gate.enter(by))
    return places


def free(place: Place) -> None:
    """Leave."""
    with place:
        pass


def test_one_caller_alone_gets_three_quarters_of_the_places(gate: Gate) -> None:
    """The others are kept for others; a place that is left is there again."""
    places = fill(gate, "one")
    assert len(places) == FEW * 3 // 4
    with pytest.raises(Overloaded):
        gate.enter("one")
    free(places[0])
    free(gate.enter("one"))
    assert gate.in_flight == len(places) - 1


def test_who_has_most_is_refused_first(gate: Gate) -> None:
    """Another caller still finds room where the first finds none."""
    fill(gate, "greedy")
    assert gate.refusal("quiet") is None
    gate.enter("quiet")
    assert gate.refusal("greedy") is not None
    assert gate.refused["share"] >= 2
    assert gate.refused["full"] == 0


def test_a_quiet_caller_among_fifty_greedy_ones_is_answered(gate: Gate, time: Time) -> None:
    """Fifty ask for whatever place gets free, at once; one asks now and then, and is let in."""
    greedy = [f"greedy {number}" for number in range(50)]
    places: list[tuple[str, Place]] = []
    answered, asked = Counter[str](), Counter[str]()
    for turn in range(800):
        time.now += 0.01
        asking_now = greedy[turn % 50 :] + greedy[: turn % 50]
        places += [(by, gate.enter(by)) for by in asking_now if gate.refusal(by) is None]
        if turn % 100 == 0:
            asked["quiet"] += 1
            if gate.refusal("quiet") is None:
                places.append(("quiet", gate.enter("quiet")))
        for by, place in places[:10]:
            free(place)
            answered[by] += 1
        del places[:10]
    assert answered["quiet"] == asked["quiet"]
    shares = [answered[by] for by in greedy]
    assert min(shares) > max(shares) / 2


def test_a_burst_at_a_new_gate_leaves_room_for_others() -> None:
    """Those of one caller who are on their way have their share, though nobody has had a place;
    who is refused with less than others is sent away for a second."""
    admission = Admission({"search": 0.05})
    gate = admission._gates["search"]
    with pytest.raises(Overloaded) as refusal:
        for _ in range(FEW):
            admission.expect("search", "burst")
    assert refusal.value.details["waiting"] == gate.coming == FEW * 3 // 4
    called_by("quiet")
    assert admission.expect("search", "quiet")
    for number in range(FEW):
        with contextlib.suppress(Overloaded):
            admission.expect("search", f"other {number}")
    refused = [gate.refusal("late", gate.coming) for _ in range(50 * FEW)]
    assert {one.details["retry_after"] for one in refused if one} == {1}


def test_nobody_is_sent_away_for_the_longest_time_more_often_than_for_another(gate: Gate) -> None:
    """Else all of them would come back at once."""
    fill(gate, "one")
    found = [gate.refusal("one") for _ in range(200 * FEW)]
    again = Counter(one.details["retry_after"] for one in found[100 * FEW :] if one)
    assert set(again) == set(range(1, AGAIN + 1))
    assert again[AGAIN] < 2 * again.total() / AGAIN


def test_what_one_has_had_is_forgotten(gate: Gate, time: Time) -> None:
    """Who was greedy a minute ago is like any other."""
    for _ in range(100):
        free(gate.enter("once greedy"))
    time.now += 60
    places = fill(gate, "another")
    assert gate.refusal("once greedy") is None
    assert gate.load().in_flight == len(places)


def test_a_refusal_says_how_long_the_queue_is_and_when_to_come_back(gate: Gate) -> None:
    """Also after a journey; and the more were refused, the further their returns are spread."""
    waiting = len(fill(gate, "one"))
    first = gate.refusal("one")
    assert first is not None
    told = from_dict(first.as_dict())
    assert isinstance(told, Overloaded)
    again = told.details.pop("retry_after")
    assert again in (1, 2)  # drawn by lot
    assert told.details == {"queue": "search", "waiting": waiting, "delay_ms": 0}
    assert told.status == 503
    later = [gate.refusal("one") for _ in range(5000)]
    agains = {one.details["retry_after"] for one in later if one is not None}
    assert min(agains) == 1
    assert AGAIN / 2 < max(agains) <= AGAIN


def test_only_those_who_ask_for_somebody_need_a_place() -> None:
    """What the process asks for itself (its health), and queues without a gate, pass."""
    admission = Admission({"search": 0.05})
    assert admission.enter("search") is None
    called_by("one")
    assert admission.enter("imports") is None
    assert admission.enter("search") is not None
    assert set(admission.loads()) == {"search"}


def test_strangers_are_one_caller(gate: Gate) -> None:
    """Keys that nobody knows are as many as a flooder likes: together they have one share."""
    fill(gate, STRANGER)
    assert gate.refusal(STRANGER) is not None
    assert gate.refusal("known") is None


def test_who_is_not_known_yet_is_nobody_else(gate: Gate) -> None:
    """A lone caller's first requests are let in before anybody has looked up the key."""
    for _ in range(CLIENTS):
        gate.comes(STRANGER)
    for _ in range(CLIENTS):
        gate.came(STRANGER)
        gate.enter("one")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 3)), max_size=300))
def test_every_place_is_counted_once(steps: list[tuple[str, bool, float]]) -> None:
    """Whoever comes and goes: held and free places add up, and nobody is forgotten."""
    time = Time()
    gate = Gate("search", 0.05, time)
    places: list[tuple[str, Place]] = []
    for by, comes, pause in steps:
        time.now += pause
        if not comes and places:
            free(places.pop(0)[1])
        elif gate.refusal(by) is None:
            places.append((by, gate.enter(by)))
        assert gate.in_flight == len(places)
        assert gate._held == Counter(by for by, _ in places)
        assert set(gate._held) <= set(gate._had)
        assert gate._had_all == pytest.approx(sum(gate._had.values()))
