"""How a worker starts: each phase timed and told, and none in the way of what can be done."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.broker.keys import PROCESSES
from actors.broker.link import Link
from actors.startup import FORGOTTEN, READY, Phase, StartUp, phases, processes
from contracts.errors import DatabaseUnavailable
from contracts.system import ProcessState
from shim import startup
from storage.index.searcher import IndexReader
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.support.dying import until
from tests.support.house import House


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


def test_the_phases_of_a_shim(house: House) -> None:
    """It waits for somebody who answers searches, for an index, and for the cache."""
    seen = []
    url, nobody = house.broker.url, "redis://127.0.0.1:1"
    link = Link(url)

    def told() -> tuple[str, list[str]]:
        start.attempt()
        (state,) = processes(link)
        return state.phase, list(state.ms)

    start = start_of(url, startup.phases(house.broker, url, lambda: bool(seen)))
    assert told() == ("workers", ["connectivity", "cache"])
    with house.running("search"):
        until(lambda: told()[0] == "index")
    seen.append("an index")
    assert told()[0] == READY
    start.stop()
    start = start_of(url, startup.phases(house.broker, nobody, lambda: True)[-1:])
    assert told() == ("cache", [])
    start.stop()
    link.close()


def test_who_is_gone_is_not_told_of(link: Link) -> None:
    """A process that was killed says nothing more; its record is passed over."""
    old = ProcessState(node="n1", name="worker-0", pid=1, phase="index", at=-FORGOTTEN)
    link.ask_one((b"HSET", PROCESSES, "n1/worker-0", old.model_dump_json().encode()))
    assert processes(link) == []
