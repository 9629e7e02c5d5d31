"""Tasks that several people and messages change at once: what must hold in between."""

import logging
from uuid import UUID

import pytest

from actors import imports, tasks, tracking
from actors.tracking import Place
from contracts.base import new_id
from contracts.errors import ImportCanceled, TaskState
from contracts.imports import FinishImport, StartImport
from contracts.tasks import AdoptWrite, CancelTask, ResumeTask
from tests.integration.actors.test_tasks import DONE, start, state, state_time, step
from tests.support.house import House


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks here is meant to."""
    caplog.set_level(logging.CRITICAL)


def cancel(house: House, task: UUID) -> None:
    """Cancel a task."""
    assert house.call(tasks.cancel, CancelTask(id=task)).status == "canceled"


def test_a_resumed_import_goes_on(house: House) -> None:
    """It has no steps, and yet it has not succeeded before its client says so."""
    task = imports.start(StartImport(source="s"), house.store).id
    cancel(house, task)
    assert house.call(tasks.resume, ResumeTask(id=task)).status == "processing"
    assert state(house, task).finished_at is None
    cancel(house, task)
    house.call(tasks.resume, ResumeTask(id=task))
    imports.finish(FinishImport(import_id=task, chunks=0), house.store)
    assert state(house, task).status == "succeeded"


def test_a_canceled_import_is_not_finished(house: House) -> None:
    """A cancel between the last chunk and the finish holds: its client hears of it."""
    task = imports.start(StartImport(source="s"), house.store).id
    cancel(house, task)
    with pytest.raises(ImportCanceled):
        imports.finish(FinishImport(import_id=task, chunks=0), house.store)
    house.call(tasks.resume, ResumeTask(id=task))
    for _ in range(2):  # arriving twice
        report = imports.finish(FinishImport(import_id=task, chunks=0), house.store)
        assert report.status == "finished"
    assert state(house, task).status == "succeeded"


def test_a_single_write_is_neither_canceled_nor_resumed(house: House) -> None:
    """Its message knows of no task: saying that it was stopped, or done, would be a lie."""
    task = new_id()
    enqueued = state_time(house)
    adoption = AdoptWrite(
        id=task,
        operation="entries.create",
        key="k",
        by="eve",
        enqueued_at=enqueued,  # type: ignore[arg-type]  # a time from a row
    )
    house.call(tasks.adopt, adoption)
    house.rows("update tasks set status = 'failed' returning id")
    for operation, command in ((tasks.cancel, CancelTask), (tasks.resume, ResumeTask)):
        with pytest.raises(TaskState, match="dead letter"):
            house.call(operation, command(id=task))
    assert state(house, task).status == "failed"


def test_a_member_that_ends_after_the_cancel_begins_nothing(house: House) -> None:
    """It counts, but the next step is neither marked nor sent before the task is resumed."""
    task = start(house, step("one", "a"), step("two", "b"))
    house.broker.flush("tests")
    cancel(house, task)
    with house.store.transaction() as tx:
        assert not tracking.arrived(tx, Place(task, 0, 0), b"null")
    found = state(house, task)
    assert [one.status for one in found.steps] == ["succeeded", "canceled"]
    assert found.status == "canceled"
    house.call(tasks.resume, ResumeTask(id=task))
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done == {"b": 1}


def test_the_last_member_may_end_after_the_cancel(house: House) -> None:
    """Resumed, a task with nothing left to do has succeeded."""
    task = start(house, step("one", "a"))
    cancel(house, task)
    with house.store.transaction() as tx:
        tracking.arrived(tx, Place(task, 0, 0), b"null")
    assert state(house, task).status == "canceled"
    assert house.call(tasks.resume, ResumeTask(id=task)).status == "succeeded"
