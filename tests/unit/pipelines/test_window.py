"""The window of chunks in flight, against workers of a known speed."""

import heapq

import pytest

from pipelines.window import FEWEST, MOST, Window


def imported(window: Window, workers: int, chunks: int, service: float = 0.1) -> list[int]:
    """The window's size at each answer, of chunks that so many workers take up in turn."""
    now, free, sizes = 0.0, [0.0] * workers, []
    flying: list[tuple[float, float]] = []  # when answered, when sent
    for _ in range(chunks):
        while len(flying) < window.size:
            done = max(now, heapq.heappop(free)) + service
            heapq.heappush(free, done)
            heapq.heappush(flying, (done, now))
        now, sent = heapq.heappop(flying)
        window.answered(now - sent)
        sizes.append(window.size)
    return sizes


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
def test_it_finds_as_many_as_the_workers_take_and_a_few_more(workers: int) -> None:
    """No worker waits for a chunk, and few chunks wait for a worker."""
    sizes = imported(Window(), workers, 2000)[1000:]
    usual = sorted(sizes)[len(sizes) // 2]
    assert workers + 1 <= usual <= workers + 6


def test_it_follows_workers_that_come_and_go() -> None:
    """More workers get more, fewer get less."""
    window = Window()
    few = imported(window, 2, 800)[-1]
    many = imported(window, 12, 800)
    again = imported(window, 2, 1600)
    assert max(many) > few + 4
    assert sorted(again)[len(again) // 4] < 12


def test_work_that_becomes_slower_is_not_taken_for_waiting() -> None:
    """Chunks done before are answered quickly; new ones take longer, and the window recovers."""
    window = Window()
    imported(window, 4, 400, service=0.002)
    assert sorted(imported(window, 4, 1200, service=0.2)[800:])[200] >= 5


def test_it_stays_within_its_bounds() -> None:
    """Whatever happens."""
    window = Window()
    for _ in range(10):
        window.refused()
    assert window.size == FEWEST
    assert max(imported(window, 200, 5000)) == MOST
    size = window.size
    window.refused()
    assert window.size == size // 2


def test_a_refusal_while_it_looks_ends_the_look() -> None:
    """The size before is not restored against a queue that is full."""
    window = Window()
    while window._back is None:
        window.answered(0.1)
    window.refused()
    before = window.size
    for _ in range(before):
        window.answered(0.1)
    assert window.size == before + 1
