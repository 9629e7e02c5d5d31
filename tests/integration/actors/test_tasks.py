"""Tasks on real servers: pipelines as data, counted once, failed, resumed, canceled."""

import logging
import threading
from uuid import UUID

import pytest

from actors import dead_letters, entries, imports, replay, tasks, tracking
from actors.tracking import Place
from contracts.base import Nothing, new_id
from contracts.dead_letters import ListDeadLetters, ReplayDeadLetters
from contracts.entries import CreateEntry, EntryFields
from contracts.errors import ImportCanceled, TaskNotFound, TaskState, ValidationFailed
from contracts.imports import FinishImport, ImportChunk, ImportRow, StartImport
from contracts.tasks import (
    AdoptWrite,
    CancelTask,
    GetTask,
    ListTasks,
    Member,
    ResumeTask,
    StartTask,
    Step,
    Task,
    TaskStatus,
)
from tests.support.house import House, Work, dawdle, work

DONE = "select 1 from tasks where id = %s and status = %s"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks here is meant to."""
    caplog.set_level(logging.CRITICAL)


def step(name: str, *texts: str, actor: str = work.name) -> Step:
    """A step that works on some texts side by side."""
    members = tuple(
        Member(actor=actor, request=Work(text=text).model_dump(mode="json")) for text in texts
    )
    return Step(name=name, members=members)


def start(house: House, *steps: Step, **fields: object) -> UUID:
    """Begin a task; its id."""
    command = StartTask(type="test", steps=steps, **fields)  # type: ignore[arg-type]  # a test's
    started: UUID = house.call(tasks.start, command).task
    return started


def state(house: House, task: UUID) -> Task:
    """The task as it is."""
    found: Task = house.call(tasks.get, GetTask(id=task))
    return found


def test_steps_follow_each_other(house: House) -> None:
    """A step begins when every member of the one before has succeeded; each keeps its result."""
    task = start(house, step("first", "a"), step("second", "b", "c", "d"), step("third", "e"))
    assert state(house, task).status == "enqueued"
    with house.running("tests", threads=3):
        house.until(DONE, task, "succeeded")
    assert house.works.done == dict.fromkeys("abcde", 1)
    found = state(house, task)
    assert [(s.name, s.status, s.members, s.succeeded) for s in found.steps] == [
        ("first", "succeeded", 1, 1),
        ("second", "succeeded", 3, 3),
        ("third", "succeeded", 1, 1),
    ]
    assert found.steps[0].result == {"text": "a"}
    assert found.result == {"text": "e"}
    assert (found.done, found.total) == (5, 5)
    assert found.started_at is not None
    assert found.finished_at is not None


def test_a_dead_member_fails_the_task_and_its_replay_completes_it(house: House) -> None:
    """The others go on; replayed after the mend, the whole is completed, each step once."""
    house.works.broken.add("b")
    task = start(house, step("fan-out", "a", "b", "c"), step("then", "d"))
    with house.running("tests"):
        house.works.wait(a=1, c=1)
        house.broker.link.ask_one(
            (b"XREAD", b"BLOCK", 8000, b"STREAMS", house.broker.keys("tests").dead, "0")
        )
    house.archive()
    found = state(house, task)
    assert (found.status, found.done, found.steps[0].failed) == ("failed", 2, 1)
    (letter,) = dead_letters.list_page(ListDeadLetters(task=task), house.store).letters
    assert found.error is not None
    assert (found.error.code, found.error.dead_letter) == ("RuntimeError", letter.id)
    assert found.steps[1].status == "waiting"
    house.works.broken.clear()
    house.call(replay.start, ReplayDeadLetters(task=task))
    with house.running("upkeep", "tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done == dict.fromkeys("abcd", 1)
    assert state(house, task).error is None


def test_a_failed_task_is_resumed_from_the_failed_step(house: House) -> None:
    """What had succeeded is not done again; the letters are no longer among the dead."""
    house.works.broken.add("b")
    task = start(house, step("one", "a"), step("two", "b"), step("three", "c"))
    with house.running("tests"):
        house.works.wait(a=1)
        house.broker.link.ask_one(
            (b"XREAD", b"BLOCK", 8000, b"STREAMS", house.broker.keys("tests").dead, "0")
        )
    house.archive()
    assert state(house, task).status == "failed"
    house.works.broken.clear()
    assert house.call(tasks.resume, ResumeTask(id=task)).status == "processing"
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done == dict.fromkeys("abc", 1)
    assert dead_letters.list_page(ListDeadLetters(), house.store).letters == ()


def test_a_member_that_arrives_twice_counts_once(house: House) -> None:
    """Delivered again, before or after its step has ended, it changes nothing."""
    task = start(house, step("both", "a", "b"), step("then", "c"))
    first = Place(task, 0, 0)
    for _ in range(3):
        with house.store.transaction() as tx:
            tracking.arrived(tx, first, b'{"text":"a"}')
    assert state(house, task).steps[0].succeeded == 1
    assert state(house, task).steps[1].status == "waiting"
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    with house.store.transaction() as tx:
        tracking.arrived(tx, first, b'{"text":"late"}')
    found = state(house, task)
    assert (found.status, found.steps[0].succeeded) == ("succeeded", 2)
    assert house.works.done == {"b": 1, "c": 1}  # "a" had arrived before its message was run


def test_a_step_that_was_recorded_and_not_sent_is_sent(house: House) -> None:
    """Killed between the commit and the queue: the sweep sends, and never a second time."""
    task = start(house, step("one", "a"), step("two", "b"))
    with house.store.transaction() as tx:
        tracking.arrived(tx, Place(task, 0, 0), b"null")
        tx.connection.execute("update task_steps set started_at = now() - interval '2 minutes'")
    house.broker.flush("tests")
    for _ in range(2):
        tasks.sweep(Nothing(), house.store, house.broker)
    assert house.broker.depth("tests")["waiting"] == 1
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done == {"b": 1}


def test_a_task_is_canceled_while_it_runs(house: House) -> None:
    """Its member hears of it at its next look; nothing of it is dead, later steps don't begin."""
    task = start(house, step("long", "x", actor=dawdle.name), step("then", "a"))
    with house.running("tests"):
        house.works.wait(turn=3)
        canceled = house.call(tasks.cancel, CancelTask(id=task))
        assert canceled.status == "canceled"
        assert canceled.done >= 2
        assert canceled.total == 100
        assert {step.status for step in canceled.steps} == {"canceled"}
        keys = house.broker.keys("tests")
        until_gone(house, keys.waiting, keys.delayed)
    assert house.works.done["a"] == 0
    assert house.broker.depth("tests")["dead"] == 0
    house.works.held.set()
    house.call(tasks.resume, ResumeTask(id=task))
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done["a"] == 1


def until_gone(house: House, waiting: str, delayed: str) -> None:
    """Return when a queue is empty. Fails when it never is."""
    pause = threading.Event()
    for _ in range(400):
        left = house.broker.link.ask((b"XLEN", waiting), (b"ZCARD", delayed))
        if left == [0, 0]:
            return
        pause.wait(0.02)
    raise AssertionError(left)


def test_states_that_don_t_allow_it(house: House) -> None:
    """A finished task is not canceled, an unknown one is not found, nothing is started unknown."""
    task = start(house, step("one", "a"))
    with pytest.raises(TaskState):
        house.call(tasks.resume, ResumeTask(id=task))
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    for operation, command in ((tasks.cancel, CancelTask), (tasks.resume, ResumeTask)):
        with pytest.raises(TaskState):
            house.call(operation, command(id=task))
        with pytest.raises(TaskNotFound):
            house.call(operation, command(id=new_id()))
    with pytest.raises(TaskNotFound):
        state(house, new_id())
    with pytest.raises(ValidationFailed):
        start(house, step("one", "a", actor="no.such"))


def test_starting_twice_is_starting_once(house: House) -> None:
    """The same key gives the same task, and its messages are sent once."""
    steps = (step("one", "a"),)
    assert start(house, *steps, key="k") == start(house, *steps, key="k")
    assert house.broker.depth("tests")["waiting"] == 1


def test_tasks_are_listed_and_narrowed(house: House) -> None:
    """By status, type and time, the newest first, a page at a time."""
    ids = [start(house, step("one", text)) for text in "abc"]
    house.call(tasks.cancel, CancelTask(id=ids[0]))

    def listed(**conditions: object) -> list[UUID]:
        request = ListTasks(**conditions)  # type: ignore[arg-type]  # conditions of a test
        return [task.id for task in house.call(tasks.list_page, request).tasks]

    assert listed() == ids[::-1]
    assert listed(status=TaskStatus.CANCELED) == ids[:1]
    assert listed(type="test", status="enqueued") == ids[:0:-1]
    assert listed(type="import") == []
    middle = state(house, ids[1]).enqueued_at
    assert listed(since=middle) == ids[:0:-1]
    assert listed(until=middle) == ids[:1]
    page = house.call(tasks.list_page, ListTasks(limit=2))
    assert page.next_cursor == ids[1]
    assert listed(limit=2, cursor=page.next_cursor) == ids[:1]


def test_an_import_is_a_task(house: House) -> None:
    """With rows as its progress and a position; canceled it takes no more chunks until resumed."""
    import_id = imports.start(StartImport(source="s", by="eve"), house.store).id

    def chunk(number: int) -> ImportChunk:
        rows = tuple(
            ImportRow(line=n, data={"title": f"{number} {n}", "external_id": f"{number}-{n}"})
            for n in range(5)
        )
        return ImportChunk(import_id=import_id, chunk=number, digest=f"d{number}", rows=rows)

    imports.chunk(chunk(0), house.store)
    found = state(house, import_id)
    assert (found.type, found.status, found.by, found.done) == ("import", "processing", "eve", 5)
    assert found.position is not None
    assert found.searchable is False
    counts = {"received": 5, "created": 5, "updated": 0, "unchanged": 0, "rejected": 0}
    assert found.result == counts
    house.call(tasks.cancel, CancelTask(id=import_id))
    with pytest.raises(ImportCanceled):
        imports.chunk(chunk(1), house.store)
    house.call(tasks.resume, ResumeTask(id=import_id))
    imports.chunk(chunk(1), house.store)
    imports.finish(FinishImport(import_id=import_id, chunks=2), house.store)
    found = state(house, import_id)
    assert (found.status, found.done) == ("succeeded", 10)


def test_a_write_that_waited_tells_how_it_ended(house: House) -> None:
    """Its row is made later; its effect, or its dead letter, is its end."""

    def adopt(key: str) -> UUID:
        task = new_id()
        enqueued = state_time(house)
        house.call(
            tasks.adopt,
            AdoptWrite(
                id=task, operation="entries.create", key=key, by="eve", enqueued_at=enqueued
            ),
        )
        return task

    waiting = adopt("k")
    assert state(house, waiting).status == "enqueued"
    entries.create(CreateEntry(key="k", entry=EntryFields(title="at last")), house.store)
    found = state(house, waiting)
    assert (found.status, found.type) == ("succeeded", "write")
    assert found.result["entry"]["title"] == "at last"
    assert found.position == found.result["position"]
    tasks.sweep(Nothing(), house.store, house.broker)
    request = ListTasks(status=TaskStatus.SUCCEEDED)
    assert [task.id for task in house.call(tasks.list_page, request).tasks] == [waiting]

    refused = adopt("other")
    keys = house.broker.keys("entries")
    message = entries.create.message(CreateEntry(key="other", entry=EntryFields(title="refused")))
    body = message.copy(message_id=str(refused)).encode()
    report = b'{"attempts":[{"at":1,"error":"a.DuplicateEntry","message":"there is one"}]}'
    house.broker.link.ask_one(
        (b"XADD", keys.dead, b"*", b"body", body, b"reason", b"refused", b"report", report)
    )
    house.archive()
    found = state(house, refused)
    assert found.status == "failed"
    assert found.error is not None
    assert (found.error.code, found.error.message) == ("DuplicateEntry", "there is one")


def state_time(house: House) -> object:
    """PostgreSQL's clock."""
    return house.rows("select now() as now")[0]["now"]


def test_a_task_that_was_heard_of_is_not_sent_again(house: House) -> None:
    """Its messages are at work, however long ago its step began."""
    task = start(house, step("one", "a"))
    house.broker.flush("tests")
    with house.store.transaction() as tx:
        tx.connection.execute("update task_steps set started_at = now() - interval '1 day';")
        tx.connection.execute("update tasks set heard_at = now() - interval '30 seconds'")
        assert tx.rows("tasks.idle") == []
        tx.connection.execute("update tasks set heard_at = now() - interval '90 seconds'")
        assert [row["id"] for row in tx.rows("tasks.idle")] == [task]
