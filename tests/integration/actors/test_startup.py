"""How a worker starts: each phase timed and told, and none in the way of what can be done."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.broker.keys import PROCESSES
from actors.broker.link import Link
from actors.startup import FORGOTTEN, READY, Phase, StartUp, phases, processes
from contracts.errors import DatabaseUnavailable
from contracts.system import ProcessState
from storage.index.searcher import IndexReader
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.support.dying import until


@pytest.fixture
def link(own_redis_url: str) -> Iterator[Link]:
    """A connection to this test's Redis."""
    link = Link(own_redis_url)
    yield link
    link.close()


def start_of(url: str, phases: list[Phase]) -> StartUp:
    """The start of a process that is called worker-0."""
    return StartUp(url, "n1", "worker-0", phases)


def test_what_is_not_over_is_told_and_tried_again(own_redis_url: str, link: Link) -> None:
    """Later phases are done meanwhile; each takes the time from its first try."""
    away = [True, True]
    done = []

    def connect() -> None:
        if away:
            away.pop()
            raise DatabaseUnavailable(reason="refused")

    start = start_of(own_redis_url, [("connectivity", connect), ("index", lambda: done.append(1))])
    assert start.attempt() is False
    (told,) = processes(link)
    assert (told.phase, told.reason, list(told.ms)) == ("connectivity", "refused", ["index"])
    assert (start.attempt(), start.attempt(), done) == (False, True, [1])
    (told,) = processes(link)
    assert (told.phase, told.reason) == (READY, None)
    assert told.ms["connectivity"] > told.ms["index"]
    start.stop()
    assert processes(link) == []


def test_a_thread_of_its_own_ends_the_start(own_redis_url: str, link: Link) -> None:
    """Nobody has to ask for the next try."""
    fails = [True]

    def connect() -> None:
        if fails:
            fails.pop()
            raise DatabaseUnavailable(reason="refused")

    start = start_of(own_redis_url, [("connectivity", connect)])
    start.attempt()
    start.start()
    until(lambda: processes(link)[0].phase == READY)
    start.stop()


def test_the_phases_of_a_worker(
    new_database: Callable[[], str], own_redis_url: str, link: Link, tmp_path: Path
) -> None:
    """An empty database is reached, and waits for its migrations; an index for being built."""
    url = new_database()
    store = Store(url)
    start = start_of(
        own_redis_url, phases(store, IndexReader(tmp_path / "nothing"), searching=True)
    )
    start.attempt()
    assert processes(link)[0].phase == "migrations"
    migrate(url)
    start.attempt()
    (told,) = processes(link)
    assert (told.phase, list(told.ms)) == ("index", ["pool", "connectivity", "migrations"])
    store.close()


def test_who_is_gone_is_not_told_of(link: Link) -> None:
    """A process that was killed says nothing more; its record is passed over."""
    old = ProcessState(node="n1", name="worker-0", pid=1, phase="index", at=-FORGOTTEN)
    link.ask_one((b"HSET", PROCESSES, "n1/worker-0", old.model_dump_json().encode()))
    assert processes(link) == []
