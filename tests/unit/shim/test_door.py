"""The door: whom it turns away, whom it lets in, and when it stops working for somebody."""

import asyncio
from collections import Counter
from typing import Any

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from actors.broker.admission import STRANGER, Admission, arrived
from actors.broker.limit import FEW
from actors.metrics.meters import Meters
from contracts.errors import Overloaded
from contracts.operation import called_by
from shim import door
from shim.door import Door
from tests.support.counting import calls, fewest

REFUSAL = 80  # calls, with metrics: behind the layer that measures requests it was 137
SENT = b"authorization", b"Bearer unknown"


class House:
    """An ASGI app: says who was let in; holds them while `open` is not set."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.gone: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.append(scope["path"])
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.gone.append(scope["path"])
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class Caller:
    """One request, as a server hands it over."""

    def __init__(self, path: str, method: str = "GET", query: bytes = b"") -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [SENT],
        }
        self.sent: list[Any] = []
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """That the caller has gone, when it has."""
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Keep it."""
        self.sent.append(message)

    async def enter(self, at: Door) -> int:
        """The status of what came back; 0: nothing did."""
        await at(self.scope, self.receive, self.send)
        return self.sent[0]["status"] if self.sent else 0


def fill(admission: Admission, queue: str) -> None:
    """Take all places, for those who are unknown here."""
    called_by(STRANGER)
    try:
        while True:
            admission.enter(queue)
    except Overloaded:
        called_by("")


def test_who_would_be_refused_is_turned_away_before_anything_is_done() -> None:
    """With a problem that says when to come back; other queues, and what has none, go on."""

    async def scenario() -> None:
        house, admission = House(), Admission()
        at = Door(house, admission)
        fill(admission, "search")
        for path, method in (("/v1/search", "GET"), ("/v1/search", "POST"), ("/v1/suggest", "GET")):
            caller = Caller(path, method)
            assert await caller.enter(at) == 503
            start, body = caller.sent
            assert int(dict(start["headers"])[b"retry-after"]) >= 1
            problem = orjson.loads(body["body"])
            assert (problem["code"], problem["queue"]) == ("OVERLOADED", "search")
            assert problem["instance"] == path
        assert house.came == []
        for path in ("/v1/entries/1", "/v1/tasks", "/readyz", "/v1/searches"):
            assert await Caller(path).enter(at) == 200

    asyncio.run(scenario())


def test_who_is_on_the_way_counts() -> None:
    """A flood does not pass the door in the time that its first requests take to their gate; who
    needs no place any more makes room."""

    async def scenario() -> None:
        house, admission = House(), Admission()
        at = Door(house, admission)
        house.open.clear()
        paths = [Caller("/v1/search", query=b"q=%d" % n) for n in range(2 * FEW)]
        coming = [asyncio.create_task(one.enter(at)) for one in paths]
        turned_away, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in turned_away} == {503}
        assert len(house.came) == 2 * FEW - len(turned_away) <= FEW
        house.open.set()
        assert sorted({await task for task in coming}) == [200, 503]
        assert await Caller("/v1/search", query=b"q=new").enter(at) == 200

    asyncio.run(scenario())


def test_who_shares_an_answer_is_not_on_the_way() -> None:
    """A thousand who ask the same wait for one place."""

    async def scenario() -> None:
        admission = Admission()
        called_by(STRANGER)
        for _ in range(2 * FEW):
            assert admission.expect("search", "")
            arrived()
        for _ in range(FEW // 2):
            assert admission.expect("search", "")
            assert admission.enter("search")

    asyncio.run(scenario())


def test_reads_and_writes_of_one_path_have_gates_of_their_own() -> None:
    """Writes that have to wait do not keep anybody from reading."""

    async def scenario() -> None:
        admission = Admission()
        at = Door(House(), admission)
        fill(admission, "entries")
        assert await Caller("/v1/entries", "POST").enter(at) == 503
        assert await Caller("/v1/entries").enter(at) == 200

    asyncio.run(scenario())


def test_what_was_answered_before_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache may know it by now; of what was answered so, as many are remembered as may be."""
    monkeypatch.setattr(door, "ANSWERED", 2)

    async def scenario() -> None:
        admission = Admission()
        at = Door(House(), admission)
        for query in (b"q=0", b"q=1", b"q=2"):
            assert await Caller("/v1/search", query=query).enter(at) == 200
        fill(admission, "search")
        assert await Caller("/v1/search", query=b"q=0").enter(at) == 503
        assert await Caller("/v1/search", query=b"q=1").enter(at) == 200
        assert await Caller("/v1/search", query=b"q=2").enter(at) == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (b"category=DB2&q=a", 200),
        (b"limit=10&q=a&mode=lexical&explain=false&category=DB2&offset=0", 200),
        (b"q=a", 503),
        (b"q=a&category=DB2&limit=20", 503),
    ],
)
def test_the_same_question_in_another_form_is_let_in(query: bytes, status: int) -> None:
    """In another order, and with parameters that say what holds without them."""

    async def scenario() -> None:
        admission = Admission()
        at = Door(House(), admission)
        assert await Caller("/v1/search", query=b"q=a&category=DB2").enter(at) == 200
        fill(admission, "search")
        assert await Caller("/v1/search", query=query).enter(at) == status

    asyncio.run(scenario())


def test_a_read_whose_caller_has_gone_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it; a write goes on, since it will be done."""
    monkeypatch.setattr(door, "PATIENCE", 0)

    async def scenario() -> None:
        house = House()
        at = Door(house, Admission())
        house.open.clear()
        read, write = Caller("/v1/search"), Caller("/v1/entries", "POST")
        reading = asyncio.create_task(read.enter(at))
        writing = asyncio.create_task(write.enter(at))
        read.left.set()
        write.left.set()
        assert await reading == 0
        assert house.gone == ["/v1/search"]
        house.open.set()
        assert await writing == 200

    asyncio.run(scenario())


def test_a_read_that_is_cancelled_by_others_is_cancelled() -> None:
    """A server that stops is not mistaken for a caller who has gone."""

    async def scenario() -> None:
        house = House()
        house.open.clear()
        reading = asyncio.create_task(Caller("/v1/search").enter(Door(house, Admission())))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(scenario())


def test_a_refusal_is_cheap() -> None:
    """Who refuses many has to have time left to answer: counted in functions that it enters."""

    async def scenario() -> Counter[str]:
        admission, counted = Admission(), []
        at = Door(House(), admission, Meters())
        fill(admission, "search")
        for _ in range(5):
            caller, found = Caller("/v1/search"), Counter[str]()
            with calls(found, "calls"):
                assert await caller.enter(at) == 503
            counted.append(found)
        return fewest(counted)

    assert asyncio.run(scenario())["calls"] <= REFUSAL
