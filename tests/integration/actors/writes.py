"""Every operation that changes something: the ground it needs, a message, what may come between."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import dramatiq
import orjson

from actors import (
    alerts,
    analytics,
    bulk,
    dead_letters,
    entries,
    errors,
    health,
    imports,
    index,
    mappings,
    replay,
    saved_searches,
    semantic,
    similar,
    tasks,
    traces,
    tracking,
    tuning,
    upkeep,
)
from actors.actor import Operation
from actors.queues import INDEX, queue_of
from actors.tracking import Place
from contracts.alerts import AcknowledgeAlert, AlertState, NotifyAlert
from contracts.analytics import Event, EventKind, RecordEvents, RollUp
from contracts.base import Contract, Nothing, new_id
from contracts.bulk import ChangeEntries, ChangeSelected, UndoImport
from contracts.dead_letters import (
    DiscardDeadLetters,
    EditDeadLetter,
    LetterState,
    ListDeadLetters,
    MoveLetters,
    ReplayDeadLetters,
    RestoreDeadLetters,
)
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    EntryChanges,
    EntryFields,
    RelateEntries,
    Severity,
    UpdateEntry,
)
from contracts.errors import NotFinished, TaskNotFound
from contracts.failures import RecordFailures, ResolveFailure
from contracts.health import NodeFacts
from contracts.imports import (
    FinishImport,
    ImportChunk,
    ImportMode,
    ImportRow,
    StartImport,
    StopImport,
)
from contracts.mappings import DeleteMapping, SaveMapping, Shape
from contracts.saved_searches import PostMatches, RemoveSearch, SaveSearch
from contracts.search import BackUpIndex, FollowIndex, RebuildIndex, RestoreIndex
from contracts.semantic import DisableSemantic, EnableSemantic, FillVectors
from contracts.similar import CompareSelected, FindSimilar
from contracts.tasks import AdoptWrite, CancelTask, Member, ResumeTask, StartTask, Step, TaskError
from contracts.traces import RecordSpans, Span
from contracts.tuning import PinEntries, SetSynonyms, Unpin
from storage.index.follower import Follower
from tests.support.events import NOON, event, event_id, searched
from tests.support.failures import seen
from tests.support.house import NODE, House, Work, work

Ground = Callable[[House], Contract]
Other = Callable[[House, Any], object]


@dataclass(frozen=True)
class Case:
    """One operation's: `others` are writes of the same entry, task or letter."""

    operation: Operation[Any, Any]
    ground: Ground
    others: tuple[Other, ...]

    def message(self, house: House) -> dramatiq.Message[Any]:
        """Make the ground; the message that is delivered, as the queue would hold it."""
        request = self.ground(house)
        if self.operation.name == replay.move.name:
            return _waiting(house, "upkeep")
        queue = queue_of(NODE) if self.operation.queue == INDEX else None
        message = self.operation.message(request, queue=queue)
        return dramatiq.Message.decode(message.encode())


CASES: dict[str, Case] = {}


def case(operation: Any, *others: Other) -> Callable[[Ground], Ground]:
    """Register what makes `operation`'s ground and request."""

    def register(ground: Ground) -> Ground:
        CASES[operation.name] = Case(operation, ground, others)
        return ground

    return register


# --- entries


def stored(house: House, title: str) -> UUID:
    """A new entry's id."""
    found: UUID = house.call(
        entries.create, CreateEntry(entry=EntryFields(title=title, category="Grounds"))
    ).entry.id
    return found


def _update(house: House, request: Any) -> object:
    changes = EntryChanges(solution="meanwhile")
    return house.call(entries.update, UpdateEntry(id=request.id, changes=changes))


def _archive(house: House, request: Any) -> object:
    return house.call(entries.archive, ChangeEntryState(id=request.id))


def _restore(house: House, request: Any) -> object:
    return house.call(entries.restore, ChangeEntryState(id=request.id))


def _delete(house: House, request: Any) -> object:
    return house.call(entries.delete, ChangeEntryState(id=request.id))


def _delete_same_text(house: House, request: Any) -> None:
    title = getattr(request, "entry", None) and request.entry.title
    for row in house.rows("select id from entries where title = %s or source = 's'", title):
        house.call(entries.delete, ChangeEntryState(id=row["id"]))


def _create_same_text(house: House, request: Any) -> object:
    return house.call(entries.create, CreateEntry(entry=request.entry))


def _unrelate(house: House, request: Any) -> object:
    ends = {"id": request.id, "to_id": request.to_id}
    return house.call(entries.relate, RelateEntries(strength=None, **ends))


@case(entries.create, _create_same_text, _delete_same_text)
def _(house: House) -> Contract:
    return CreateEntry(entry=EntryFields(title="one more", category="New here", tags=("a",)))


@case(entries.update, _update, _archive, _delete)
def _(house: House) -> Contract:
    changes = EntryChanges(title="changed", category="Newer")
    return UpdateEntry(id=stored(house, "first"), changes=changes)


@case(entries.archive, _restore, _update, _delete)
def _(house: House) -> Contract:
    return ChangeEntryState(id=stored(house, "first"))


@case(entries.restore, _archive, _update)
def _(house: House) -> Contract:
    state = ChangeEntryState(id=stored(house, "first"))
    house.call(entries.archive, state.renewed().model_copy(update={"instead_of": None}))
    return state


@case(entries.delete, _update, _archive)
def _(house: House) -> Contract:
    return ChangeEntryState(id=stored(house, "first"))


@case(entries.relate, _unrelate, _delete)
def _(house: House) -> Contract:
    return RelateEntries(id=stored(house, "first"), to_id=stored(house, "second"), strength=0.5)


# --- imports


def _chunk(import_id: UUID, number: int = 0) -> ImportChunk:
    rows: list[dict[str, Any]] = [
        {"title": f"row {n}", "external_id": f"{number}-{n}", "related": [f"{number}-{n + 1}"]}
        for n in range(3)
    ]
    rows += [{"title": "without an id"}, {"title": "-"}]
    return ImportChunk(
        import_id=import_id,
        chunk=number,
        digest=f"digest {number}",
        rows=tuple(ImportRow(line=n, data=data) for n, data in enumerate(rows)),
    )


def _start_import(house: House, request: Any = None) -> UUID:
    found: UUID = house.call(imports.start, StartImport(source="s")).id
    return found


def _finish_import(house: House, request: Any) -> object:
    return house.call(imports.finish, FinishImport(import_id=request.import_id, chunks=1))


def _cancel_import(house: House, request: Any) -> object:
    return house.call(tasks.cancel, CancelTask(id=request.import_id))


def _import_other_rows(house: House, request: Any) -> object:
    row = ImportRow(line=1, data={"title": "another state", "external_id": "0-0"})
    other = ImportChunk(import_id=_start_import(house), chunk=0, digest="other", rows=(row,))
    return house.call(imports.chunk, other)


@case(imports.start, _start_import)
def _(house: House) -> Contract:
    return StartImport(source="s", files=("a.csv",))


@case(
    imports.chunk,
    _finish_import,
    _cancel_import,
    _import_other_rows,
    _delete_same_text,
)
def _(house: House) -> Contract:
    return _chunk(_start_import(house))


@case(imports.finish, _cancel_import, _delete_same_text)
def _(house: House) -> Contract:
    first = _start_import(house)
    house.call(imports.chunk, _chunk(first))
    mode = ImportMode.REPLACE
    import_id = house.call(imports.start, StartImport(source="s", mode=mode)).id
    rows = tuple(
        ImportRow(line=n, data={"title": f"new {n}", "external_id": f"{n}", "related": "0,1,2"[n:]})
        for n in range(1, 3)
    )
    replacing = ImportChunk(import_id=import_id, chunk=0, digest="r", rows=rows)
    house.call(imports.chunk, replacing)
    return FinishImport(import_id=import_id, chunks=1, max_removed=100)


@case(imports.stop, _finish_import, _cancel_import)
def _(house: House) -> Contract:
    import_id = _start_import(house)
    house.call(imports.chunk, _chunk(import_id))
    error = TaskError(code="TOO_MANY_REJECTS", message="2 rows were rejected, at most 1 may be.")
    return StopImport(import_id=import_id, error=error)


# --- tasks


def _steps() -> tuple[Step, ...]:
    members = [
        Member(actor=work.name, request=Work(text=text).model_dump(mode="json")) for text in "ab"
    ]
    return Step(name="both", members=tuple(members)), Step(name="then", members=(members[0],))


def started(house: House) -> UUID:
    """A new task's id; its messages are in the queue `tests`."""
    found: UUID = house.call(tasks.start, StartTask(type="test", steps=_steps())).task
    return found


def _any_task(house: House, request: Any) -> UUID:
    if getattr(request, "id", None) is not None:
        return UUID(str(request.id))
    for row in house.rows("select id from tasks order by id desc limit 1"):
        return UUID(str(row["id"]))
    raise TaskNotFound()


def _cancel(house: House, request: Any) -> object:
    return house.call(tasks.cancel, CancelTask(id=_any_task(house, request)))


def _resume(house: House, request: Any) -> object:
    return house.call(tasks.resume, ResumeTask(id=_any_task(house, request)))


def _cancel_and_resume(house: House, request: Any) -> None:
    _cancel(house, request)
    _resume(house, request)


def _members_arrive(house: House, request: Any) -> None:
    task_id = _any_task(house, request)
    with house.store.transaction() as tx:
        for step, member in ((0, 0), (0, 1), (1, 0)):
            tracking.arrived(tx, Place(task_id, step, member), b"null")


def _sweep(house: House, request: Any) -> object:
    return house.call(tasks.sweep, Nothing())


def _write_of_key(house: House, request: Any) -> object:
    entry = EntryFields(title="at last")
    return house.call(entries.create, CreateEntry(key=request.key, entry=entry))


@case(tasks.start, _cancel, _cancel_and_resume, _members_arrive)
def _(house: House) -> Contract:
    return StartTask(type="test", steps=_steps(), details={"why": "test"})


@case(tasks.adopt, _write_of_key, _sweep)
def _(house: House) -> Contract:
    at = house.rows("select now() as now")[0]["now"]
    return AdoptWrite(id=new_id(), operation="entries.create", key="k", by="", enqueued_at=at)


@case(tasks.cancel, _resume, _members_arrive)
def _(house: House) -> Contract:
    return CancelTask(id=started(house), by="eve")


@case(tasks.resume, _cancel, _members_arrive)
def _(house: House) -> Contract:
    task_id = started(house)
    house.call(tasks.cancel, CancelTask(id=task_id))
    return ResumeTask(id=task_id, by="eve")


@case(tasks.sweep, _cancel, _members_arrive)
def _(house: House) -> Contract:
    started(house)
    with house.store.transaction() as tx:
        tx.connection.execute("update task_steps set started_at = now() - interval '2 minutes'")
    house.broker.flush("tests")
    house.broker.link.ask_one((b"DEL", *house.broker.link.ask_one((b"KEYS", b"*:once:*"))))
    at = house.rows("select now() as now")[0]["now"]
    write = AdoptWrite(id=new_id(), operation="entries.create", key="k", by="", enqueued_at=at)
    house.call(tasks.adopt, write)
    _write_of_key(house, write)
    return Nothing()


# --- dead letters


def die(house: House, *texts: str, place: Place | None = None) -> None:
    """Messages of `work` in the queue's `dead` stream."""
    for text in texts:
        message = work.message(Work(text=text))
        if place is not None:
            message.options["task"] = [str(place.task), place.step, place.member]
        body = message.encode()
        report = orjson.dumps({"attempts": [{"at": 1, "error": "x.Broken", "message": text}]})
        house.broker.link.ask_one(
            (b"XADD", house.broker.keys("tests").dead, b"*", b"body", body,
             b"reason", b"failed", b"report", report)
        )  # fmt: skip
    house.broker.register_queues()


def lie_dead(house: House, *texts: str) -> list[UUID]:
    """Dead letters of `work`; all there are, the last to die first."""
    die(house, *texts)
    house.archive()
    found = dead_letters.list_page(ListDeadLetters(limit=500), house.store).letters
    return [letter.id for letter in found]


def _another_dies(house: House, request: Any) -> None:
    lie_dead(house, "later")


def _discard(house: House, request: Any) -> object:
    command = DiscardDeadLetters(everything=True, why="of another")
    return house.call(dead_letters.discard, command)


def _bring_back(house: House, request: Any) -> None:
    for state in (LetterState.DISCARDED, LetterState.REPLAYED):
        command = RestoreDeadLetters(everything=True, state=state)
        house.call(dead_letters.restore, command)


def _replay(house: House, request: Any) -> object:
    return house.call(replay.start, ReplayDeadLetters(everything=True))


def _edit(house: House, request: Any) -> object:
    command = EditDeadLetter(id=request.id, request={"text": "meanwhile"})
    return house.call(dead_letters.edit, command)


@case(dead_letters.discard, _bring_back, _another_dies, _replay)
def _(house: House) -> Contract:
    lie_dead(house, "a", "b")
    return DiscardDeadLetters(everything=True, why="nobody waits", by="eve")


@case(dead_letters.restore, _discard, _replay)
def _(house: House) -> Contract:
    lie_dead(house, "a", "b")
    _discard(house, None)
    return RestoreDeadLetters(everything=True, by="eve")


@case(dead_letters.edit, _edit, _discard, _replay)
def _(house: House) -> Contract:
    return EditDeadLetter(id=lie_dead(house, "a", "b")[0], request={"text": "mended"})


@case(replay.start, _discard, _another_dies, _replay, _cancel, _cancel_and_resume)
def _(house: House) -> Contract:
    lie_dead(house, "a", "b")
    return ReplayDeadLetters(everything=True, by="eve")


@case(replay.move, _bring_back, _another_dies, _cancel)
def _(house: House) -> Contract:
    lie_dead(house, *(f"{n}" for n in range(20)))
    found = house.call(replay.start, ReplayDeadLetters(everything=True))
    return MoveLetters(task=found.task)


# --- what keeps the house


@case(upkeep.archive, _bring_back, _discard)
def _(house: House) -> Contract:
    task_id = started(house)
    die(house, "a", "b")
    die(house, "c", place=Place(task_id, 0, 0))
    return Nothing()


@case(upkeep.prune, _another_dies)
def _(house: House) -> Contract:
    lie_dead(house, "a", "b")
    stored(house, "kept")
    started(house)
    with house.store.transaction() as tx:
        for sql in (
            "update dead_letters set failed_at = now() - interval '1 year' where message = 'a'",
            "update effects set at = now() - interval '1 year'",
            "update tasks set finished_at = now() - interval '1 year'",
        ):
            tx.connection.execute(sql.encode())
    return Nothing()


# --- what operators are told


def firing(house: House, state: str = "firing") -> UUID:
    """A new alert's id."""
    alert_id = new_id()
    with house.store.transaction() as tx:
        tx.run(
            "alerts.raise",
            id=alert_id,
            rule="CasebookMessageOld",
            subject="tests",
            severity="warning",
            value=61.0,
            threshold=60.0,
            message="old",
        )
        tx.connection.execute("update alerts set state = %s", [state])
    return alert_id


def _resolves(house: House, request: Any) -> None:
    with house.store.transaction() as tx:
        tx.connection.execute("update alerts set state = 'resolved'")


def _fails_again(house: House, request: Any) -> object:
    return house.call(errors.record, RecordFailures(seen=(seen(RuntimeError("again")),)))


@case(alerts.acknowledge, _resolves)
def _(house: House) -> Contract:
    return AcknowledgeAlert(id=firing(house), by="eve", note="on it")


@case(alerts.notify, _resolves)
def _(house: House) -> Contract:
    return NotifyAlert(id=firing(house), state=AlertState.FIRING)


@case(health.observe, _another_dies)
def _(house: House) -> Contract:
    firing(house, "pending")
    return Nothing()


@case(health.judge, _another_dies)
def _(house: House) -> Contract:
    firing(house, "pending")
    return NodeFacts(node=NODE, disk_used=0.95)


@case(errors.record, _fails_again)
def _(house: House) -> Contract:
    return RecordFailures(seen=(seen(RuntimeError("first")),))


@case(traces.record)
def _(house: House) -> Contract:
    at = house.rows("select now() as now")[0]["now"]
    names = dict.fromkeys(("operation_id", "message_id", "actor", "queue", "worker"), "x")
    span = Span(at=at, waited_ms=1, ms=2, attempt=1, outcome="done", **names)
    return RecordSpans(spans=(span,))


@case(errors.resolve, _fails_again)
def _(house: House) -> Contract:
    _fails_again(house, None)
    fingerprint = seen(RuntimeError("again")).fingerprint
    return ResolveFailure(fingerprint=fingerprint, by="eve")


# --- search by meaning


def _vectors(house: House) -> int:
    """Three entries with a word in common; the model that is to learn from them."""
    for title in ("a dull morning", "a dull evening", "one bright morning"):
        stored(house, title)
    started = house.call(semantic.enable, EnableSemantic())
    return int(started.model)


def _filled(house: House) -> None:
    request = FillVectors(model=_vectors(house))
    while True:  # a slow machine takes more than one turn
        with contextlib.suppress(NotFinished):
            house.call(semantic.fill, request)
            return


@case(semantic.enable)
def _(house: House) -> Contract:
    stored(house, "one")
    return EnableSemantic(by="eve")


@case(semantic.disable)
def _(house: House) -> Contract:
    _filled(house)
    return DisableSemantic(by="eve")


@case(semantic.fill)
def _(house: House) -> Contract:
    return FillVectors(model=_vectors(house))


@case(semantic.follow)
def _(house: House) -> Contract:
    _filled(house)
    stored(house, "a dull night")
    return Nothing()


# --- a node's index


@case(index.follow)
def _(house: House) -> Contract:
    house.call(entries.archive, ChangeEntryState(id=stored(house, "first")))
    stored(house, "second")
    return FollowIndex()


@case(index.rebuild)
def _(house: House) -> Contract:
    stored(house, "first")
    house.call(index.follow, FollowIndex())
    stored(house, "second")
    return RebuildIndex()


@case(index.restore)
def _(house: House) -> Contract:
    stored(house, "first")
    house.call(index.follow, FollowIndex())
    copy = str(house.broker.resources[Follower]._root.parent / f"copy {new_id()}")
    house.call(index.backup, BackUpIndex(to=copy))
    stored(house, "second")
    return RestoreIndex(source=copy)


def _waiting(house: House, queue: str) -> dramatiq.Message[Any]:
    """The one message that waits in a queue, taken out of it."""
    keys = house.broker.keys(queue)
    ((entry, fields),) = house.broker.link.ask_one((b"XRANGE", keys.waiting, b"-", b"+"))
    house.broker.link.ask_one((b"XDEL", keys.waiting, entry))
    return dramatiq.Message.decode(fields[1])


# --- many entries


def _changed_since(house: House, request: Any) -> None:
    for row in house.rows("select id from entries order by title limit 1"):
        house.call(
            entries.update,
            UpdateEntry(id=row["id"], changes=EntryChanges(solution="changed since")),
        )


def _selected(house: House) -> UUID:
    for title in ("first", "second", "third"):
        stored(house, title)
    command = ChangeEntries(
        everything=True, action="update", changes=EntryChanges(severity=Severity.HIGH)
    )
    task: UUID = house.call(bulk.start, command).task
    return task


@case(bulk.start, _changed_since)
def _(house: House) -> Contract:
    stored(house, "first")
    stored(house, "second")
    return ChangeEntries(everything=True, action="archive")


@case(bulk.change, _changed_since, _cancel)
def _(house: House) -> Contract:
    task = _selected(house)
    return ChangeSelected(
        task=task, action="update", changes=EntryChanges(severity=Severity.HIGH), by="eve"
    )


@case(bulk.undo, _changed_since)
def _(house: House) -> Contract:
    import_id = _start_import(house)
    house.call(imports.chunk, _chunk(import_id))
    return UndoImport(import_id=import_id)


# --- mappings


def _save_otherwise(house: House, request: Any) -> object:
    other = Shape(mapping={"title": "elsewhere"})
    return house.call(mappings.save, SaveMapping(name=request.name, shape=other))


def _forget(house: House, request: Any) -> object:
    return house.call(mappings.delete, DeleteMapping(name=request.name))


@case(mappings.save, _save_otherwise, _forget)
def _(house: House) -> Contract:
    return SaveMapping(name="wiki", shape=Shape(mapping={"title": "name"}))


@case(mappings.delete, _save_otherwise)
def _(house: House) -> Contract:
    house.call(mappings.save, SaveMapping(name="wiki", shape=Shape(mapping={"title": "name"})))
    return DeleteMapping(name="wiki")


# --- what people teach the search


def _tune_otherwise(house: House, request: Any) -> object:
    house.call(
        tuning.pin, PinEntries(query="open fails", entries=(stored(house, f"other {new_id()}"),))
    )
    return house.call(tuning.set_synonyms, SetSynonyms(word="job", same_as=("step",)))


def _unpin(house: House, request: Any) -> object:
    return house.call(tuning.unpin, Unpin(query=request.query))


@case(tuning.set_synonyms, _tune_otherwise)
def _(house: House) -> Contract:
    return SetSynonyms(word="job", same_as=("task", "started task"), category="batch")


@case(tuning.pin, _tune_otherwise, _unpin)
def _(house: House) -> Contract:
    return PinEntries(query="open fails", entries=(stored(house, "one"), stored(house, "two")))


@case(tuning.unpin, _tune_otherwise)
def _(house: House) -> Contract:
    house.call(tuning.pin, PinEntries(query="open fails", entries=(stored(house, "one"),)))
    return Unpin(query="open fails")


@case(tuning.popularise, _tune_otherwise)
def _(house: House) -> Contract:
    lately = datetime.now(UTC) - timedelta(hours=1)
    batch = tuple(
        Event(
            id=event_id(number, lately), kind=EventKind.SEARCHED, normalised="open fails", total=1
        )
        for number in range(3)
    )
    house.call(analytics.record, RecordEvents(events=batch))
    house.call(analytics.roll_up, RollUp())
    return Nothing()


# --- saved searches


def _save_another(house: House, request: Any) -> object:
    return house.call(saved_searches.save, SaveSearch(name="wanted", query="something else"))


def _remove_search(house: House, request: Any) -> object:
    return house.call(saved_searches.remove, RemoveSearch(name="wanted"))


def _wanted(house: House) -> None:
    """A search, and in the index an entry that came to fit it."""
    house.call(index.follow, FollowIndex())
    house.call(saved_searches.save, SaveSearch(name="wanted", query="first"))
    stored(house, "first")
    house.call(index.follow, FollowIndex())


@case(saved_searches.save, _save_another, _remove_search)
def _(house: House) -> Contract:
    return SaveSearch(name="wanted", query="S0C7", category=("Batch",))


@case(saved_searches.remove, _save_another)
def _(house: House) -> Contract:
    house.call(saved_searches.save, SaveSearch(name="wanted", query="S0C7"))
    return RemoveSearch(name="wanted")


@case(saved_searches.match, _save_another, _remove_search)
def _(house: House) -> Contract:
    _wanted(house)
    return Nothing()


@case(saved_searches.post, _save_another, _remove_search)
def _(house: House) -> Contract:
    _wanted(house)
    house.call(saved_searches.match, Nothing())
    # To a host that is not allowed: it is passed over, and noted as done.
    with house.store.transaction() as tx:
        tx.connection.execute("update saved_searches set webhook = 'http://127.0.0.1/'")
        tx.connection.execute("update saved_matches set posted = false")
    return PostMatches(name="wanted")


# --- near duplicates


def _imported(house: House) -> UUID:
    import_id = _start_import(house)
    house.call(imports.chunk, _chunk(import_id))
    return import_id


@case(similar.find, _changed_since, _cancel)
def _(house: House) -> Contract:
    return FindSimilar(import_id=_imported(house))


@case(similar.compare, _changed_since, _cancel)
def _(house: House) -> Contract:
    import_id = _imported(house)
    house.call(index.follow, FollowIndex())
    found = house.call(similar.find, FindSimilar(import_id=import_id))
    return CompareSelected(task=found.task, import_id=import_id)


# --- events


def _batch(house: House) -> RecordEvents:
    entry = stored(house, "seen")
    return RecordEvents(
        events=(
            searched(1, "seen", (entry,)),
            event(2, EventKind.VIEWED, entry_id=entry, search_id=event_id(1)),
            event(3, EventKind.RATED, entry_id=entry, worked=True),
        )
    )


def _another_batch(house: House, request: Any) -> None:
    events = (event(3, EventKind.RATED, worked=True), searched(4, "other"))
    house.call(analytics.record, RecordEvents(events=events))


def _roll_up(house: House, request: Any) -> object:
    return house.call(analytics.roll_up, RollUp())


@case(analytics.record, _another_batch, _roll_up)
def _(house: House) -> Contract:
    return _batch(house)


@case(analytics.roll_up)
def _(house: House) -> Contract:
    house.call(analytics.record, _batch(house))
    return RollUp()


@case(analytics.keep, _roll_up)
def _(house: House) -> Contract:
    house.call(analytics.record, _batch(house))
    house.call(analytics.roll_up, RollUp())
    with house.store.transaction() as tx:
        tx.row("analytics.make_month", at=NOON - timedelta(days=800))
        tx.connection.execute("update query_days set day = day - 800")
    return Nothing()
