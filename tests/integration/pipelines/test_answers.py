"""The chain of answers: what is given from where, and what never is."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from actors.warming import Warmth, cool
from contracts.analytics_answers import AskDashboard
from contracts.entries import GetEntry
from contracts.errors import (
    DatabaseUnavailable,
    EntryNotFound,
    IndexBehind,
    NoReply,
    Overloaded,
    QueueUnavailable,
    ValidationFailed,
)
from contracts.operation import called_by, doing
from contracts.position import Position
from contracts.search import SearchQuery
from contracts.similar import MoreLikeThis
from contracts.suggest import Suggest
from pipelines import answers as chain
from pipelines import question
from pipelines.answers import Answer, Answers
from storage.breaker import Breaker
from storage.cache import answers as rules
from storage.cache import tokens
from storage.index.freshness import Fresh
from storage.index.published import Published
from storage.index.schema import SCHEMA_VERSION
from storage.index.touched import Touched
from tests.integration.pipelines.conftest import Process
from tests.support.waiting import run

QUERY, SUGGEST, DASHBOARD = "search.query", "search.suggest", "analytics_answers.dashboard"
ENTRY = GetEntry(id="01890000-0000-7000-8000-000000000000")


class Index:
    """What is published, and actors that answer from as far as they are."""

    def __init__(self) -> None:
        self.touched, self.at = Touched.everything(at(1), 1.0), 1
        self.behind: int | None = None
        self.asked = 0
        self.patience: list[float] = []
        self.error: Exception | None = None
        self.changed = asyncio.Condition()
        self.go = asyncio.Event()
        self.go.set()

    def commit(self, *categories: str) -> None:
        """Publish another position."""
        self.at += 1
        self.touched = self.touched.by(at(self.at), categories)

    def published(self) -> Fresh:
        """For who answers."""
        return Fresh.of(Published("v", 1, at(self.at), SCHEMA_VERSION, 1, touched=self.touched))

    async def begun(self, count: int) -> None:
        """Return once so many were asked for."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.asked >= count)

    async def compute(self, request: Any, timeout: float) -> bytes:
        """For who asks."""
        self.asked += 1
        self.patience.append(timeout)
        number, here = self.asked, at(self.at if self.behind is None else self.behind)
        async with self.changed:
            self.changed.notify_all()
        await self.go.wait()
        if self.error:
            raise self.error
        after = getattr(request, "after", None)
        if after and not here.reaches(Position.parse(after)):
            raise IndexBehind
        told = {"position": str(here), "edition": self.published().edition, "n": number}
        return orjson.dumps(told)


def at(number: int) -> Position:
    """A position."""
    return Position("e", number, 0)


async def ask(
    answers: Answers, index: Index, operation: str = QUERY, request: Any = None, **how: Any
) -> Answer:
    """Ask for an answer, a search if nothing else is said."""
    request = request or SearchQuery(q="x")
    return await answers.get(operation, request, index.compute, timeout=2.0, **how)


def number(answer: Answer) -> int:
    """Which of the computations this was."""
    found: int = orjson.loads(answer.body)["n"]
    return found


def test_hot_then_warm_then_computed(process: Process) -> None:
    """Asked again it is hot; another process finds it warm, then hot; a commit ends both."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            assert [(await ask(one, index)).source for _ in range(2)] == ["miss", "hot"]
            await one.idle()
            assert [(await ask(other, index)).source for _ in range(2)] == ["warm", "hot"]
            index.commit("db2")
            assert (await ask(other, index)).source == "miss"
            await other.idle()
            assert (await ask(one, index)).source == "warm"
            narrow = SearchQuery(q="x", category=("VSAM",))
            assert (await ask(one, index, request=narrow)).source == "miss"
            index.commit("db2")
            assert (await ask(one, index, request=narrow)).source == "hot"

    run(scenario())


def test_no_cache_is_computed_for_its_caller(process: Process) -> None:
    """Who wants it anew waits for no other's, and what comes of it is kept."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            await ask(answers, index)
            anew = await ask(answers, index, anew=True)
            assert (anew.source, number(anew)) == ("miss", 2)
            assert number(await ask(answers, index)) in (1, 2)
            index.error = QueueUnavailable()
            with pytest.raises(QueueUnavailable):
                await ask(answers, index, anew=True)

    run(scenario())


def test_who_has_written_reads_what_they_wrote(process: Process) -> None:
    """With `after`, a kept answer is given only if it has reached that."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            await ask(answers, index)
            assert (await ask(answers, index, request=after(1))).source == "hot"
            with pytest.raises(IndexBehind):
                await ask(answers, index, request=after(2))
            index.commit()  # nothing was touched: what is kept is of now, but before `after`
            assert (await ask(answers, index)).source == "hot"
            assert (await ask(answers, index, request=after(2))).source == "miss"
            index.error = QueueUnavailable()
            with pytest.raises(QueueUnavailable):
                await ask(answers, index, request=after(3))

    run(scenario())


def after(number: int) -> SearchQuery:
    """A search that has to see what was written there."""
    return SearchQuery(q="x", after=str(at(number)))


@pytest.mark.parametrize("error", [QueueUnavailable(), NoReply(), DatabaseUnavailable()])
def test_the_last_known_answer_then_the_error(process: Process, error: Exception) -> None:
    """What is away is answered by what was known, marked and with its age, in any process."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            await ask(one, index)
            await one.idle()
            index.commit("db2")
            index.error = error
            for answers in (one, other):
                told = await ask(answers, index)
                assert (told.source, told.age is not None) == ("stale", True)
                body = orjson.loads(told.body)
                assert (body["n"], body["stale"], body["age_s"]) == (1, True, told.age)
                with pytest.raises(type(error)):
                    await ask(answers, index, request=SearchQuery(q="never asked before"))
            index.error = ValidationFailed()
            with pytest.raises(ValidationFailed):
                await ask(one, index)

    run(scenario())


def test_where_nothing_says_what_is_published(process: Process) -> None:
    """Without the index's folder no search is answered from a cache, until nobody else answers."""

    async def scenario() -> None:
        index = Index()
        async with process(lambda: None) as answers:
            assert [(await ask(answers, index)).source for _ in range(2)] == ["miss", "miss"]
            index.error = NoReply()
            assert (await ask(answers, index)).source == "stale"

    run(scenario())


def test_a_thousand_in_two_processes_are_one_computation(process: Process) -> None:
    """On a cold key; the first one leaves, and takes it from nobody."""

    async def scenario() -> None:
        index = Index()
        index.go.clear()
        async with process(index.published) as one, process(index.published) as other:
            asking = [asyncio.create_task(ask((one, other)[n % 2], index)) for n in range(1000)]
            await index.begun(1)
            asking[0].cancel()
            asking[1].cancel()
            index.go.set()
            found = await asyncio.gather(*asking[2:])
            assert {one.source for one in found} == {"miss", "warm"}
            assert (index.asked, {number(one) for one in found}) == (1, {1})

    run(scenario())


def test_a_refusal_is_of_who_came_first(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others who wait for the same answer ask once more, in their own name; one for each name."""
    shared, both = Counter[str](), asyncio.Event()

    def arrived() -> None:
        shared[doing().by] += 1
        if shared == {"greedy": 2 + 2, "quiet": 2 + 3}:  # a look at the warm layer, a flight
            both.set()

    monkeypatch.setattr(chain, "arrived", arrived)

    async def scenario() -> None:
        index, names, begun = Index(), list[str](), asyncio.Event()

        async def compute(request: Any, timeout: float) -> bytes:
            names.append(doing().by)
            begun.set()
            await index.go.wait()
            if doing().by == "greedy":
                raise Overloaded
            return await index.compute(request, timeout)

        async def asked(answers: Answers, by: str) -> Answer:
            called_by(by)
            return await answers.get(QUERY, SearchQuery(q="x"), compute, timeout=2.0)

        async with process(index.published) as answers:
            index.go.clear()
            first = [asyncio.create_task(asked(answers, "greedy")) for _ in range(3)]
            await begun.wait()
            others = [asyncio.create_task(asked(answers, "quiet")) for _ in range(3)]
            await both.wait()
            index.go.set()
            refused = await asyncio.gather(*first, return_exceptions=True)
            assert {type(one) for one in refused} == {Overloaded}
            assert {number(answer) for answer in await asyncio.gather(*others)} == {1}
            assert names == ["greedy", "greedy", "quiet"]

    run(scenario())


def test_a_question_is_one_hit_or_one_miss(process: Process) -> None:
    """However often a layer is looked at for it."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:

            async def counted(answers: Answers) -> list[tuple[str, int, int]]:
                await answers.idle()
                return [(of.name, of.hits, of.misses) for of in await answers._cache.stats()]

            await ask(one, index)
            assert await counted(one) == [("hot", 0, 1), ("warm", 0, 1)]
            await ask(one, index)
            assert await counted(one) == [("hot", 1, 1), ("warm", 0, 1)]
            await ask(other, index)
            assert await counted(other) == [("hot", 0, 1), ("warm", 1, 0)]

    run(scenario())


def test_who_has_an_answer_at_hand_waits_less_for_another(process: Process) -> None:
    """A search that is not fresh any more, and an entry, are given again after PATIENCE."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            for _ in range(2):
                await answers.get(QUERY, SearchQuery(q="x"), index.compute, timeout=60.0)
                index.commit("db2")
            for _ in range(2):
                await answers.get_first("entries.get", ENTRY, index.compute, timeout=60.0)
            assert index.patience == [60.0, chain.PATIENCE] * 2

    run(scenario())


def test_a_computation_begun_before_a_commit_is_not_shared_after_it(process: Process) -> None:
    """Whoever has seen the commit gets an answer that was asked for after it."""

    async def scenario() -> None:
        index = Index()
        index.go.clear()
        async with process(index.published) as one, process(index.published) as other:
            before = asyncio.create_task(ask(one, index))
            await index.begun(1)
            index.commit("db2")
            behind = [asyncio.create_task(ask(answers, index)) for answers in (one, other)]
            await index.begun(2)
            index.go.set()
            await before
            assert {number(answer) for answer in await asyncio.gather(*behind)} == {2}

    run(scenario())


def test_who_claimed_and_died_costs_the_claim(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits longer for a process that is gone."""
    monkeypatch.setattr(chain, "CLAIM", 0.05)

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            index.go.clear()
            first = asyncio.create_task(ask(one, index))
            await index.begun(1)
            second = asyncio.create_task(ask(other, index))
            await index.begun(2)
            index.go.set()
            await asyncio.gather(first, second)

    run(scenario())


def test_waiting_for_another_process_is_within_the_time_out(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it when the claim was waited for in vain is what the computation gets."""
    monkeypatch.setattr(chain, "CLAIM", 1000)

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            index.go.clear()
            for answers, timeout in ((one, 60.0), (other, 0.4)):
                computed = index.begun(index.asked + 1)
                request = SearchQuery(q="x")
                asking = answers.get(QUERY, request, index.compute, timeout=timeout)
                task = asyncio.create_task(asking)
                await computed
            index.go.set()
            await task
            assert index.patience[0] == 60.0
            assert index.patience[1] < 0.2

    run(scenario())


def test_a_claim_that_is_given_back_late_leaves_what_is_left(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gets the claim after waiting for it has waited as well."""
    monkeypatch.setattr(chain, "CLAIM", 1000)

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            warm, refused = other._cache.warm, asyncio.Event()
            assert warm is not None
            claim = warm.claim

            async def asked(key: str, seconds: float) -> str | None:
                token = await claim(key, seconds)
                refused.set()
                return token

            monkeypatch.setattr(warm, "claim", asked)
            index.go.clear()
            first = asyncio.create_task(ask(one, index))
            await index.begun(1)
            second = asyncio.create_task(ask(other, index))
            await refused.wait()
            index.error = NoReply()
            index.go.set()
            await asyncio.gather(first, second, return_exceptions=True)
            assert index.patience[0] == 2.0
            assert index.patience[1] < 2.0

    run(scenario())


def test_a_failure_lets_the_next_process_try(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim ends with its computation, however that ends; else this would hang."""
    monkeypatch.setattr(chain, "CLAIM", 1000)

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:
            index.error = NoReply()
            with pytest.raises(NoReply):
                await ask(one, index)
            await one.idle()
            index.error = None
            told = await other.get(QUERY, SearchQuery(q="x"), index.compute, timeout=1000)
            assert told.source == "miss"

    run(scenario())


def test_a_worker_that_is_behind_is_asked_again(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search is never told as of now by an index that is behind what is published here."""
    monkeypatch.setattr(question, "LAGGING", 0.05)

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            index.behind = index.at
            index.commit("db2")
            told = await ask(answers, index)
            assert (told.source, orjson.loads(told.body)["stale"]) == ("stale", True)
            index.behind = None
            assert (await ask(answers, index)).source == "miss"
            assert (await ask(answers, index)).source == "hot"

    run(scenario())


@pytest.mark.parametrize(
    ("operation", "request_"),
    [(SUGGEST, Suggest(q="xy")), ("search.like", MoreLikeThis(text="what is like this"))],
)
def test_what_a_worker_that_is_behind_suggests_is_marked(
    process: Process, operation: str, request_: Any
) -> None:
    """These can't be asked for as of a position: they are never told as of now by less."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            index.behind = index.at
            index.commit("db2")
            told = await ask(answers, index, operation, request_, anew=True)
            assert (told.source, orjson.loads(told.body)["stale"]) == ("stale", True)
            assert index.asked == 1
            index.behind = None
            assert (await ask(answers, index, operation, request_, anew=True)).source == "miss"

    run(scenario())


@pytest.mark.parametrize(
    ("operation", "request_", "later"),
    [(SUGGEST, Suggest(q="xy"), 3), (DASHBOARD, AskDashboard(), 75)],
)
def test_stale_while_revalidating(
    process: Process, monkeypatch: pytest.MonkeyPatch, operation: str, request_: Any, later: float
) -> None:
    """The old one is given at once, and another is computed, once, for who asks next."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as answers:
            await ask(answers, index, operation, request_)
            index.commit("db2")
            monkeypatch.setattr(rules.time, "time", lambda now=time.time: now() + later)
            index.go.clear()
            given = [await ask(answers, index, operation, request_) for _ in range(5)]
            assert {(one.source, number(one)) for one in given} == {("hot", 1)}
            index.go.set()
            await answers.idle()
            assert number(await ask(answers, index, operation, request_)) == 2
            assert index.asked == 2

    run(scenario())


def test_a_roll_up_ends_statistics_everywhere(
    process: Process, cache_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then they are fresh, in every process; after it the old ones are given while others
    are computed, and are what is last known while that can't be."""
    monkeypatch.setattr(tokens, "EVERY", 0.0)
    warmth = Warmth(cache_url, Breaker("cache"), Path())

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:

            async def numbers() -> list[int]:
                found = [await ask(which, index, DASHBOARD, AskDashboard()) for which in both]
                await asyncio.gather(*(which.idle() for which in both))
                return [number(answer) for answer in found]

            both = (one, other)
            assert await numbers() == [1, 1]
            monkeypatch.setattr(rules.time, "time", lambda now=time.time: now() + 30)
            assert (await numbers(), index.asked) == ([1, 1], 1)
            await asyncio.to_thread(cool, warmth, rules.STATISTICS)
            await numbers()
            assert (await numbers(), index.asked) == ([2, 2], 2)
            await asyncio.to_thread(cool, warmth, rules.STATISTICS)
            monkeypatch.setattr(rules.time, "time", lambda now=time.time: now() + 1000)
            index.error = DatabaseUnavailable()
            found = await ask(one, index, DASHBOARD, AskDashboard())
            assert (found.source, number(found)) == ("stale", 2)

    run(scenario())


def test_the_same_again_is_of_now(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was computed anew, and is no other, is young again."""

    async def compute(request: AskDashboard, timeout: float) -> bytes:
        return b"{}"

    async def scenario() -> None:
        async with process(lambda: None) as answers:

            async def ask(*, anew: bool = False) -> Answer:
                request = AskDashboard()
                return await answers.get(DASHBOARD, request, compute, timeout=2.0, anew=anew)

            await ask()
            monkeypatch.setattr(rules.time, "time", lambda now=time.time: now() + 30)
            await ask(anew=True)
            age = (await ask()).age
            assert age is not None
            assert age < 30

    run(scenario())


def test_an_entry_is_always_asked_for(process: Process) -> None:
    """Who has written it reads that; away it is as last known; removed it is known no more."""

    async def scenario() -> None:
        index = Index()
        async with process(index.published) as one, process(index.published) as other:

            async def entry(answers: Answers) -> Answer:
                return await answers.get_first("entries.get", ENTRY, index.compute, timeout=2.0)

            assert [(await entry(one)).source for _ in range(2)] == ["miss", "miss"]
            await one.idle()
            index.error = DatabaseUnavailable()
            for answers in (one, other):
                told = await entry(answers)
                assert (told.source, number(told)) == ("stale", 2)
            index.error = EntryNotFound()
            with pytest.raises(EntryNotFound):
                await entry(one)
            await one.idle()
            index.error = DatabaseUnavailable()
            for answers in (one, other):
                with pytest.raises(DatabaseUnavailable):
                    await entry(answers)

    run(scenario())


async def known(answers: Answers) -> dict[str, Any]:
    """The entry as it is last known. Raises: DatabaseUnavailable where nothing is."""
    away = Index()
    away.error = DatabaseUnavailable()
    told = await answers.get_first("entries.get", ENTRY, away.compute, timeout=2.0)
    assert told.source == "stale"
    found: dict[str, Any] = orjson.loads(told.body)
    return found


def entry(version: int) -> bytes:
    """An entry as a write leaves it."""
    return orjson.dumps({"version": version})


def test_what_the_warm_layer_lost_is_known_while_the_index_tells_of_no_change(
    process: Process, cache_url: str
) -> None:
    """A write that another process has answered is forgotten with it: what is hot here is given
    until its category is touched, and not where nobody can tell."""

    async def read(request: Any, timeout: float) -> bytes:
        return orjson.dumps({"version": 1, "category": "DB2"})

    async def scenario() -> None:
        index, blind = Index(), False
        async with process(lambda: None if blind else index.published()) as answers:
            await answers.get_first("entries.get", ENTRY, read, timeout=2.0)
            await answers.idle()
            with Redis.from_url(cache_url) as redis:
                redis.flushall()
            index.commit("vsam")
            assert (await known(answers))["version"] == 1
            blind = True
            with pytest.raises(DatabaseUnavailable):
                await known(answers)
            blind = False
            index.commit("db2")
            with pytest.raises(DatabaseUnavailable):
                await known(answers)

            left = orjson.dumps({"version": 2, "category": "DB2"})
            index.commit("db2")
            answers.wrote("entries.get", ENTRY, left, str(at(index.at)))
            await answers.idle()
            with Redis.from_url(cache_url) as redis:
                redis.flushall()
            assert (await known(answers))["version"] == 2

    run(scenario())


def test_what_was_written_is_what_is_known(process: Process) -> None:
    """In every process, whatever they have hot, and however late what was read before is kept; a
    write that is repeated changes nothing."""

    async def read(version: int, answers: Answers, go: asyncio.Event) -> Answer:
        async def compute(request: Any, timeout: float) -> bytes:
            await go.wait()
            return entry(version)

        return await answers.get_first("entries.get", ENTRY, compute, timeout=2.0)

    async def scenario() -> None:
        go, later = asyncio.Event(), asyncio.Event()
        go.set()
        async with (
            process(lambda: None) as one,
            process(lambda: None) as other,
            process(lambda: None) as third,
        ):
            for answers in (one, other):
                await read(1, answers, go)
                await answers.idle()
            late = asyncio.create_task(read(1, third, later))
            await asyncio.sleep(0)
            for version in (2, 1):
                one.wrote("entries.get", ENTRY, entry(version))
            await one.idle()
            assert [(await known(answers))["version"] for answers in (one, other)] == [2, 2]
            later.set()
            await late
            await third.idle()
            for answers in (other, third):
                with pytest.raises(DatabaseUnavailable):
                    await known(answers)
            assert (await known(one))["version"] == 2

            one.gone("entries.get", ENTRY)
            one.wrote("entries.get", ENTRY, entry(2))  # repeated: it is gone since
            await one.idle()
            for answers in (one, other):
                with pytest.raises(DatabaseUnavailable):
                    await known(answers)

    run(scenario())
