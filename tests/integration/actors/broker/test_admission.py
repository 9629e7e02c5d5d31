"""Refused before it is sent: on a real queue, with workers that are held, gone or back."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from actors.actor import actor
from actors.broker.admission import Admission
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.limit import FEW
from actors.broker.worker import Worker
from contracts.errors import NoReply, Overloaded
from contracts.operation import called_by
from tests.support.operations import Say
from tests.support.waiting import SOON, run

Work = Callable[..., Worker]
Ask = Callable[..., Coroutine[Any, Any, bytes]]

FIT = FEW * 3 // 4  # of one caller


class Tap:
    """A resource: operations wait until it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()


@actor(queue="-", read=True)
def pour(request: Say, tap: Tap) -> Say:
    """Say it back once the tap is open."""
    assert tap.open.wait(SOON)
    return request


@pytest.fixture
def tap(broker: StreamsBroker, queue_name: str) -> Iterator[Tap]:
    """Shut."""
    pour.declare(broker, queue_name)
    broker.resources[Tap] = tap = Tap()
    yield tap
    tap.open.set()


@pytest.fixture
def admission(queue_name: str, tap: Tap) -> Admission:
    """With a gate before the test's queue, whose every answer is judged."""
    return Admission({queue_name: 0.05}, itertools.count().__next__)


@pytest.fixture
def ask(queue_name: str) -> Ask:
    """Asks for somebody."""

    async def ask(client: Client, by: str, *, timeout: float = SOON) -> bytes:
        called_by(by)
        message = pour.message(Say(text=by), queue=queue_name)
        return await client.call(message, timeout=timeout, deadline=True)

    return ask


async def settled(tasks: list["asyncio.Task[bytes]"]) -> list[Overloaded]:
    """The refusals among them, once all have been sent or refused: that takes one turn."""
    await asyncio.sleep(0)
    done = [task for task in tasks if task.done()]
    found = [task.exception() for task in done]
    assert all(isinstance(one, Overloaded) for one in found), found
    return [one for one in found if isinstance(one, Overloaded)]


def test_more_than_fit_are_refused_at_once_and_the_others_answered(
    broker: StreamsBroker, work: Work, ask: Ask, tap: Tap, admission: Admission, queue_name: str
) -> None:
    """While the worker is slow: a greedy caller is refused, a quiet one is not; then it is over."""
    work(threads=1, prefetch=2)

    async def scenario() -> None:
        async with Client(broker, admission=admission) as client, asyncio.TaskGroup() as group:
            greedy = [asyncio.create_task(ask(client, "greedy")) for _ in range(2 * FIT)]
            refused = await settled(greedy)
            assert len(refused) == FIT
            assert refused[0].details["queue"] == queue_name
            assert refused[0].details["waiting"] == FIT
            assert refused[0].details["retry_after"] >= 1
            quiet = group.create_task(ask(client, "quiet"))
            assert await settled([quiet]) == []
            assert admission.loads()[queue_name].in_flight == FIT + 1
            tap.open.set()
            answers = await asyncio.gather(*greedy, return_exceptions=True)
            assert sum(isinstance(one, bytes) for one in answers) == FIT
            await quiet
            assert admission.loads()[queue_name].delay > 0  # as the worker measured it
            await ask(client, "greedy")
            load = admission.loads()[queue_name]
            assert (load.in_flight, load.admitted) == (0, FIT + 2)
            assert load.refused == {"share": FIT}

    run(scenario())


def test_callers_who_go_free_their_places(
    broker: StreamsBroker, ask: Ask, admission: Admission, queue_name: str
) -> None:
    """A caller who is cancelled is not waited for, also where nobody works."""

    async def scenario() -> None:
        async with Client(broker, admission=admission) as client:
            gone = [asyncio.create_task(ask(client, "one")) for _ in range(FIT)]
            assert await settled(gone) == []
            with pytest.raises(Overloaded):
                await ask(client, "one")
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            assert admission.loads()[queue_name].in_flight == 0
            new = asyncio.create_task(ask(client, "one"))
            assert await settled([new]) == []
            new.cancel()
            await asyncio.gather(new, return_exceptions=True)

    run(scenario())


def test_where_nobody_works_most_are_refused_and_a_new_worker_answers_at_once(
    broker: StreamsBroker, work: Work, ask: Ask, tap: Tap, admission: Admission, queue_name: str
) -> None:
    """Those who fit wait for it, all others hear at once; what came to nothing lowers the limit."""
    tap.open.set()

    async def scenario() -> None:
        async with Client(broker, admission=admission) as client:
            waiting = [asyncio.create_task(ask(client, "one", timeout=0.1)) for _ in range(200)]
            assert len(await settled(waiting)) == 200 - FIT
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            assert sum(isinstance(one, NoReply) for one in answers) == FIT
            assert admission.loads()[queue_name].limit < FEW
            last = asyncio.create_task(ask(client, "one"))
            assert await settled([last]) == []
            await asyncio.to_thread(work, threads=1, prefetch=2)
            assert await last == b'{"text":"one"}'
            assert admission.loads()[queue_name].delay > 0  # it waited for the worker to start

    run(scenario())


def test_a_client_without_a_gate_sends_everything(
    broker: StreamsBroker, work: Work, ask: Ask, tap: Tap
) -> None:
    """As the command line does: its caller is one, and waits."""
    work(threads=1, prefetch=8)

    async def scenario() -> None:
        async with Client(broker) as client:
            tasks = [asyncio.create_task(ask(client, "one")) for _ in range(2 * FIT)]
            assert await settled(tasks) == []
            tap.open.set()
            assert len(await asyncio.gather(*tasks)) == 2 * FIT

    run(scenario())
