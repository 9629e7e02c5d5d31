"""The hot layer: bounded in bytes, by time, and by tag."""

import tracemalloc

import pytest

from storage.cache.hot import Hot
from storage.cache.layer import Kept
from tests.support.waiting import run


class Clock:
    """A clock that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time of the layer under test."""
    return Clock()


@pytest.fixture
def hot(clock: Clock) -> Hot:
    """A layer of 1 MB."""
    return Hot(1_000_000, clock)


def test_a_value_stays_for_its_time(hot: Hot, clock: Clock) -> None:
    """A value is there until its time is over, whatever others have."""
    hot.set_now("short", Kept(b"1"), 10)
    hot.set_now("long", Kept(b"2"), 100)
    clock.now = 10
    assert hot.get_now("short") is None
    found = hot.get_now("long")
    assert found is not None and found.body == b"2"


def test_reads_are_timed(hot: Hot) -> None:
    """Each read counts once, found or not; one that peeks does not."""
    hot.set_now("there", Kept(b"1"), 10)
    for key in ("there", "not there", "there"):
        hot.get_now(key)
    hot.peek_now("there")
    stats = hot.stats_now()
    assert stats.buckets[-1] == (float("inf"), 3)
    assert [calls for _, calls in stats.buckets] == sorted(calls for _, calls in stats.buckets)
    assert stats.seconds > 0


def test_the_bound_is_in_bytes(hot: Hot) -> None:
    """More than fits pushes out what was used longest ago, and that is counted."""
    for number in range(100):
        hot.set_now(str(number), Kept(bytes(50_000)), 60)
        hot.get_now("0")
    stats = hot.stats_now()
    assert stats.bytes is not None and stats.bytes <= 1_000_000
    assert stats.entries is not None and 15 < stats.entries < 20
    assert stats.evictions == 100 - stats.entries
    assert hot.get_now("0") is not None
    assert hot.get_now("1") is None


def test_bytes_are_those_that_are_taken() -> None:
    """A layer full of small values takes no more memory than it says, and not far less."""
    bound = 1_000_000
    tracemalloc.start()
    try:
        hot = Hot(bound)
        for number in range(2_000):
            value = Kept(b"x" * (number % 800), f"1:2:{number}", 1.0 + number, (), {"a": "b"})
            hot.set_now(f"a-digest-of-a-request-{number}", value, 60)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert hot.stats_now().evictions > 0
    assert 0.5 * bound < taken < 1.1 * bound


def test_a_value_that_is_too_large_is_not_kept(hot: Hot) -> None:
    """One value may not push out everything; what it should replace is gone too."""
    hot.set_now("key", Kept(b"before"), 60)
    hot.set_now("key", Kept(bytes(100_000)), 60)
    assert hot.get_now("key") is None
    assert hot.stats_now().refused == 1


def test_a_tag_ends_its_values_only(hot: Hot) -> None:
    """Values with the tag are gone, others stay, and new ones with it are kept."""
    hot.set_now("a", Kept(b"a", tags=("statistics",)), 60)
    hot.set_now("b", Kept(b"b", tags=("suggestions",)), 60)
    hot.invalidate_now(["statistics"])
    assert hot.get_now("a") is None
    assert hot.get_now("b") is not None
    hot.set_now("a", Kept(b"again", tags=("statistics",)), 60)
    assert hot.get_now("a") is not None
    assert hot.stats_now().outdated == 1


def test_what_was_computed_before_an_invalidation_is_not_kept(hot: Hot) -> None:
    """Who began before the invalidation and ends after it has old news."""
    before = hot.epochs_now()
    hot.invalidate_now(["statistics"])
    hot.set_now("a", Kept(b"old", tags=("statistics",)), 60, before)
    hot.set_now("b", Kept(b"of something else", tags=("suggestions",)), 60, before)
    assert hot.get_now("a") is None
    assert hot.get_now("b") is not None


def test_clear_ends_what_is_being_computed_too(hot: Hot) -> None:
    """After `clear` nothing of before comes back."""
    before = hot.epochs_now()
    hot.set_now("a", Kept(b"a"), 60)
    run(hot.clear())
    hot.set_now("b", Kept(b"b"), 60, before)
    assert hot.get_now("a") is None
    assert hot.get_now("b") is None
    assert hot.stats_now().entries == 0


def test_it_counts(hot: Hot) -> None:
    """Hits and misses are told as they were."""
    hot.set_now("a", Kept(b"a"), 60)
    for key in "aab":
        hot.get_now(key)
    stats = hot.stats_now()
    assert (stats.hits, stats.misses, stats.entries) == (2, 1, 1)
