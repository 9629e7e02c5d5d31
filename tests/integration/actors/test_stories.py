"""An operation's story: who asked, each try of each message, and what it spent its time on."""

import pytest

from actors import entries, imports, tasks, traces
from actors.spans import SpanLog
from contracts import operation
from contracts.entries import CreateEntry, EntryFields, GetEntry
from contracts.imports import StartImport
from contracts.tasks import Member, StartTask, Step
from contracts.traces import GetTrace, ListSlow, RecordSpans, Trace
from tests.support.house import House, Work, work
from tests.support.spans import Told
from tests.support.waiting import take

OPERATION = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans(house: House) -> Told:
    """What the house's process does; every operation and statement counts as slow."""
    told = Told(house)
    operation.enter(OPERATION, by="ann")
    return told


def story(house: House, spans: SpanLog) -> Trace:
    """All that is known of it."""
    spans.flush()
    operation.enter("")
    found: Trace = house.call(traces.get, GetTrace(id=OPERATION))
    return found


def test_a_create_that_is_tried_again_is_one_story(
    house: House, spans: Told, caplog: pytest.LogCaptureFixture
) -> None:
    """Each try with when, where, how long it waited and ran, and how it ended; for whom."""
    caplog.set_level("CRITICAL")
    house.works.broken.add("x")
    fields = EntryFields(title="title", problem="problem", solution="solution")
    with house.running("tests", "entries"):
        house.send(work, Work(text="x", key="k1", by="ann"))
        house.send(entries.create, CreateEntry(entry=fields, key="k2", by="ann"))
        take(spans.came, 3)
    found = story(house, spans)
    assert {span.caller for span in found.spans} == {"ann"}
    tries = [(s.attempt, s.outcome, s.error) for s in found.spans if s.actor == work.name]
    assert tries == [(1, "retry", "RuntimeError"), (2, "dead", "RuntimeError")]
    (created,) = [span for span in found.spans if span.actor == entries.create.name]
    assert (created.outcome, created.queue) == ("done", "entries")
    steps = created.steps or ()
    assert {"effects.claim", "entries.insert"} <= {step.name for step in steps}
    assert sum(step.ms for step in steps) <= created.ms


@pytest.mark.parametrize("begun_under", [OPERATION, ""])
def test_a_task_is_told_with_its_members(house: House, spans: Told, begun_under: str) -> None:
    """By the task's id: those of every step, and what else its operation did; nobody else's."""
    members = [
        Member(actor=work.name, request=Work(text=text).model_dump(mode="json")) for text in "abc"
    ]
    steps = Step(name="one", members=members[:2]), Step(name="two", members=members[2:])
    operation.enter(begun_under)
    task = house.call(tasks.start, StartTask(type="test", steps=steps)).task
    operation.enter("another")
    with house.running("tests"):
        house.send(work, Work(text="stranger", key="k"))
        take(spans.came, 4)
    spans.flush()
    operation.enter("")
    found = house.call(traces.get, GetTrace(id=str(task)))
    assert [one.id for one in found.tasks] == [task]
    sent = {str(row["id"]) for row in house.rows("select message_id as id from task_members")}
    assert {one.message_id for one in found.spans} == sent
    (row,) = house.rows("select operation_id from tasks")
    assert row["operation_id"] == begun_under


def test_a_task_tells_what_its_operation_did(house: House, spans: Told) -> None:
    """An import's chunks are no members: they are of the operation that began it."""
    task = house.call(imports.start, StartImport(source="s")).id
    with house.running("tests"):
        house.send(work, Work(text="of the same operation", key="k"))
        take(spans.came, 1)
    spans.flush()
    operation.enter("")
    (span,) = house.call(traces.get, GetTrace(id=str(task))).spans
    assert (span.operation_id, span.actor) == (OPERATION, work.name)


def test_slow_statements_are_listed_by_what_they_took(house: House, spans: Told) -> None:
    """With their count, the shape of the slowest one's values, a plan, and whose it was."""
    missing = "00000000-0000-4000-8000-000000000000"
    with house.running("reads"):
        for _ in range(3):
            house.send(entries.get, GetEntry(id=missing))
        take(spans.came, 3)
    story(house, spans)
    found = house.call(traces.slow, ListSlow())
    assert [(one.actor, one.count) for one in found.operations] == [("entries.get", 3)]
    (statement,) = [one for one in found.statements if one.name == "entries.get"]
    assert (statement.count, statement.operation_id) == (3, OPERATION)
    assert statement.shape == {"id": "UUID"}
    assert "entries" in statement.plan
    assert missing not in statement.plan
    assert statement.total_ms >= statement.most_ms > 0


def test_spans_of_the_release_before_are_taken(house: House) -> None:
    """They tell neither steps nor for whom."""
    old = {
        **dict.fromkeys(("operation_id", "actor", "queue", "worker"), OPERATION),
        **{"message_id": "m", "at": "2026-01-01T00:00:00Z", "outcome": "done"},
        **{"waited_ms": 0, "ms": 1, "attempt": 1},
    }
    house.call(traces.record, RecordSpans.model_validate({"spans": [old]}))
    (span,) = house.call(traces.get, GetTrace(id=OPERATION)).spans
    assert (span.caller, span.steps) == (None, None)
