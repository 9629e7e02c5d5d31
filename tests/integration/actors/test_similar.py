"""Near duplicates of an import, found in the index and compared in PostgreSQL's texts."""

import logging
import random
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from actors import entries, imports, index, similar, tasks
from actors.index import Again
from actors.nudge import Nudge
from benchmarks.corpus import words
from contracts.base import new_id
from contracts.entries import ChangeEntryState, CreateEntry, EntryFields
from contracts.errors import ImportNotFound, NotFinished
from contracts.imports import StartImport
from contracts.search import FollowIndex
from contracts.similar import CompareSelected, FindSimilar, GetSimilar, SimilarEntry, SimilarFound
from contracts.tasks import CancelTask, GetTask, ResumeTask
from storage.index.follower import Follower
from tests.integration.actors.test_imports import chunk_of
from tests.support.house import NODE, House
from tests.support.waiting import SOON


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused here is meant to be."""
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def indexed(house: House, tmp_path: Any) -> Iterator[House]:
    """A house with an index that can follow."""
    follower = Follower(tmp_path / "index", house.store)
    house.broker.resources |= {Follower: follower, Again: Again(Nudge(house.broker, NODE))}
    yield house
    follower.close()


def texts(count: int) -> list[str]:
    """Made-up texts of 60 words."""
    draw = random.Random(1)
    return [" ".join(words(draw, 60)) for _ in range(count)]


def stored(house: House, text: str) -> UUID:
    """A new entry's id."""
    fields = EntryFields(title="made by hand", problem=text)
    made: UUID = entries.create(CreateEntry(entry=fields), house.store).entry.id
    return made


def load(house: House, *found: str) -> UUID:
    """An import of these texts."""
    import_id: UUID = imports.start(StartImport(source="s"), house.store).id
    rows = [
        {"external_id": str(n), "title": "made by hand", "problem": text}
        for n, text in enumerate(found)
    ]
    imports.chunk(chunk_of(import_id, rows), house.store)
    return import_id


def find(house: House, import_id: UUID) -> SimilarFound:
    """Look for near duplicates until all are compared."""
    started = house.call(similar.find, FindSimilar(import_id=import_id))
    with house.running("upkeep"):
        house.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    return SimilarFound(**house.call(tasks.get, GetTask(id=started.task)).result)


def pairs(house: House, import_id: UUID, **fields: Any) -> tuple[SimilarEntry, ...]:
    """What was found."""
    page = house.call(similar.list_page, GetSimilar(id=import_id, **fields))
    found: tuple[SimilarEntry, ...] = page.pairs
    return found


def test_near_duplicates_are_found_with_how_alike_they_are(indexed: House) -> None:
    """The same text is 1, one word in sixty less, another text next to nothing."""
    made = texts(30)
    ids = [stored(indexed, text) for text in made]
    one_changed = made[1].split(" ")
    one_changed[30] = "changed"
    import_id = load(indexed, made[0], " ".join(one_changed), "nothing like any of the others")
    indexed.call(index.follow, FollowIndex())
    result = find(indexed, import_id)
    assert (result.compared, result.near) == (3, 2)
    same, near, *_ = pairs(indexed, import_id)
    assert (same.other_id, same.similarity) == (ids[0], 1.0)
    assert (near.other_id, near.other_title) == (ids[1], "made by hand")
    assert 0.9 < near.similarity < 1
    assert len(pairs(indexed, import_id, minimum=0.8)) == 2
    first = indexed.call(similar.list_page, GetSimilar(id=import_id, limit=1))
    assert (first.pairs, first.next_offset) == ((same,), 1)
    assert pairs(indexed, import_id, limit=1, offset=1) == (near,)
    entries.delete(ChangeEntryState(id=ids[0]), indexed.store)
    assert pairs(indexed, import_id)[0] == near
    assert find(indexed, import_id).near == 1


def test_it_waits_until_the_index_has_seen_the_import(indexed: House) -> None:
    """What the import brought must be comparable with itself."""
    (text,) = texts(1)
    stored(indexed, "there is an index")
    indexed.call(index.follow, FollowIndex())
    import_id = load(indexed, text, text + " more")
    started = indexed.call(similar.find, FindSimilar(import_id=import_id))
    (row,) = indexed.rows("select request from task_members")
    command = CompareSelected.model_validate(row["request"])
    with pytest.raises(NotFinished):
        indexed.call(similar.compare, command)
    indexed.call(index.follow, FollowIndex())
    assert indexed.call(similar.compare, command) == SimilarFound(compared=2, near=2)
    assert len(indexed.rows("select 1 from entry_selection where task_id = %s", started.task)) == 0


def test_it_can_be_stopped_and_taken_up_again(
    indexed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turn by turn; nothing is compared twice."""
    monkeypatch.setattr(similar, "BATCH", 2)
    monkeypatch.setattr(similar, "TURN", 0.0)
    import_id = load(indexed, *texts(7))
    indexed.call(index.follow, FollowIndex())
    started = indexed.call(similar.find, FindSimilar(import_id=import_id))
    (row,) = indexed.rows("select request from task_members")
    with pytest.raises(NotFinished):
        indexed.call(similar.compare, CompareSelected.model_validate(row["request"]))
    indexed.call(tasks.cancel, CancelTask(id=started.task))
    indexed.call(tasks.resume, ResumeTask(id=started.task))
    with indexed.running("upkeep"):
        indexed.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    task = indexed.call(tasks.get, GetTask(id=started.task))
    assert (task.done, task.total, task.result["compared"]) == (7, 7, 7)


def test_two_turns_at_once_count_each_entry_once(indexed: House) -> None:
    """Both end, and the result is that of one."""
    made = texts(40)
    import_id = load(indexed, *made, *made)
    indexed.call(index.follow, FollowIndex())
    indexed.call(similar.find, FindSimilar(import_id=import_id))
    (row,) = indexed.rows("select request from task_members")
    command = CompareSelected.model_validate(row["request"])
    turns = [
        threading.Thread(target=indexed.call, args=(similar.compare, command)) for _ in range(2)
    ]
    for turn in turns:
        turn.start()
    for turn in turns:
        turn.join(SOON)
    assert indexed.call(similar.compare, command) == SimilarFound(compared=80, near=80)
    assert len(pairs(indexed, import_id, limit=500)) == 80


def test_an_unknown_import_has_no_near_duplicates(house: House) -> None:
    """Neither looked for nor listed."""
    with pytest.raises(ImportNotFound):
        house.call(similar.find, FindSimilar(import_id=new_id()))
    with pytest.raises(ImportNotFound):
        house.call(similar.list_page, GetSimilar(id=new_id()))
