"""Dead letters: kept as rows, read, put aside, mended."""

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import BaseModel

from actors import letters
from actors.actor import Operations, actor
from actors.letters import moment
from contracts.base import KEY_MAX, Contract, Write
from contracts.dead_letters import (
    Attempt,
    DeadLetter,
    DeadLetterPage,
    DeadLetterWhole,
    DiscardDeadLetters,
    EditDeadLetter,
    GetDeadLetter,
    LetterCount,
    LetterFilter,
    LetterGroup,
    LetterGroups,
    LettersChanged,
    LetterState,
    ListDeadLetters,
    RestoreDeadLetters,
)
from contracts.errors import (
    DeadLetterNotFound,
    EffectDone,
    LetterNotDead,
    LetterUnreadable,
    ValidationFailed,
)
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

RAW_MAX = 64 * 1024  # bytes that are shown of what can't be read: it may be larger than a reply
SLICE = 5_000  # letters changed by one statement
UNASKED = {"key", "instead_of", "by"}  # of a request: no part of what it asks for
CALL = 50_000  # letters changed by one call: it ends well within its time limit


def where(request: LetterFilter) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The conditions of a filter, by the names of their SQL, and their parameters."""
    parameters = request.conditions
    known = tuple(parameters)
    if request.error is not None:
        parameters["error"] = request.error.rpartition(".")[2]
    if request.text is not None:
        escaped = request.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parameters["pattern"] = escaped
    if "ids" in parameters:
        parameters["ids"] = list(request.ids)
    return ("state", *known), {"state": request.state, **parameters}


@actor(queue="operators", read=True)
def list_page(request: ListDeadLetters, store: Store) -> DeadLetterPage:
    """One page, the last to die first. Raises: ValidationFailed for a cursor not of ours."""
    names, parameters = where(request)
    if request.cursor is not None:
        names = (*names, "cursor")
        parameters |= _cursor(request.cursor)
    with store.transaction() as tx:
        rows = tx.rows("dead_letters.page", names, limit=request.limit + 1, **parameters)
    found = tuple(DeadLetter(**row) for row in rows[: request.limit])
    more = len(rows) > request.limit
    cursor = f"{found[-1].failed_at.isoformat()}/{found[-1].id}" if more else None
    return DeadLetterPage(letters=found, next_cursor=cursor)


@actor(queue="operators", read=True)
def count(request: LetterFilter, store: Store) -> LetterCount:
    """How many letters there are."""
    names, parameters = where(request)
    with store.transaction() as tx:
        row = tx.row("dead_letters.count", names, **parameters)
    assert row is not None
    return LetterCount(count=row["count"])


@actor(queue="operators", read=True)
def groups(request: LetterFilter, store: Store) -> LetterGroups:
    """Letters counted by actor, reason and exception class, the most first."""
    names, parameters = where(request)
    with store.transaction() as tx:
        rows = tx.rows("dead_letters.groups", names, **parameters)
    return LetterGroups(groups=tuple(LetterGroup(**row) for row in rows))


@actor(queue="operators", read=True)
def get(request: GetDeadLetter, store: Store, operations: Operations) -> DeadLetterWhole:
    """One letter whole. Raises: DeadLetterNotFound."""
    with store.transaction() as tx:
        row = tx.row("dead_letters.get", id=request.id)
    if row is None:
        raise DeadLetterNotFound(id=str(request.id))
    return whole(row, operations)


@actor(queue="operators")
def discard(command: DiscardDeadLetters, store: Store) -> LettersChanged:
    """Put letters aside, a part of them a call."""
    return _change("dead_letters.discard", command, store, LetterState.DISCARDED, command.why)


@actor(queue="operators")
def restore(command: RestoreDeadLetters, store: Store) -> LettersChanged:
    """Bring letters back among the dead, a part of them a call."""
    return _change("dead_letters.restore", command, store, LetterState.DEAD, None)


@actor(queue="operators")
def edit(command: EditDeadLetter, store: Store, operations: Operations) -> DeadLetterWhole:
    """Put another request into a letter.

    It becomes a message of its own, in place of the first. Raises: DeadLetterNotFound,
    LetterNotDead, LetterUnreadable, ValidationFailed; EffectDone where the first took effect.
    """

    def effect(tx: Transaction) -> DeadLetterWhole:
        row = _dead(tx, command.id)
        if not row["readable"] or row["actor"] not in operations:
            raise LetterUnreadable(actor=row["actor"])
        before = letters.request_of(bytes(row["body"]))
        request = _mended(operations[row["actor"]].request_in(command.request), before)
        _refuse_done(tx, request)
        renewed = request.renewed() if isinstance(request, Contract) else request
        after = renewed.model_dump(mode="json")
        body, message_id = letters.edited(bytes(row["body"]), after)
        tx.run(
            "dead_letters.edit",
            id=command.id,
            body=body,
            message_id=message_id,
            original=Jsonb(letters.storable(before)),
            by=command.by,
        )
        if row["task_id"] is not None:
            place = {"id": row["task_id"], "step": row["step"], "member": row["member"]}
            tx.run("tasks.edit_member", request=Jsonb(after), **place)
        audit(tx, command.by, "dead_letters.edit", str(command.id), {"before": before})
        changed = tx.row("dead_letters.get", id=command.id)
        assert changed is not None
        return whole(changed, operations)

    return once(store, "dead_letters.edit", command, DeadLetterWhole, effect)


def whole(row: Row, operations: Operations) -> DeadLetterWhole:
    """A row as a letter with all that is known of it."""
    body = letters.parse(bytes(row["body"])) if row["readable"] else None
    raw = None if body else bytes(row["body"][:RAW_MAX]).decode(errors="backslashreplace")
    attempts = tuple(Attempt(**{**one, "at": moment(one["at"])}) for one in row["attempts"])
    shown = {name: row[name] for name in DeadLetter.model_fields}
    return DeadLetterWhole(
        **shown,
        operation_id=row["operation_id"],
        body=body,
        raw=raw,
        attempts=attempts,
        report=row["report"],
        replayable=row["readable"] and row["actor"] in operations,
        task=row["task_id"],
        replay_of=row["replay_of"],
        replayed_by=row["replay_task"],
        discarded_why=row["discarded_why"],
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
        original=row["original"],
    )


def audit(tx: Transaction, by: str, action: str, target: str, details: dict[str, Any]) -> None:
    """Note who did what, in the transaction that does it."""
    tx.run(
        "dead_letters.audit",
        by=by,
        action=action,
        target=target,
        details=Jsonb(letters.storable(details)),
    )


def _change(
    operation: str,
    command: DiscardDeadLetters | RestoreDeadLetters,
    store: Store,
    state: LetterState,
    why: str | None,
) -> LettersChanged:
    """Change slice after slice, each once: a second arrival must not take letters that died since.

    The first slice has the command's own key, the later ones a key made of it.
    """
    names, parameters = where(command)
    changed = {"to_state": state, "why": why, "by": command.by, "limit": SLICE}

    def effect(tx: Transaction) -> LettersChanged:
        count = tx.run("dead_letters.change", names, **changed, **parameters)
        if count:
            asked = command.model_dump(mode="json", exclude=UNASKED, exclude_defaults=True)
            audit(tx, command.by, f"dead_letters.{state}", "", asked | {"count": count})
        return LettersChanged(count=count)

    total, last, part = 0, SLICE, command
    while last == SLICE and total < CALL:
        last = once(store, operation, part, LettersChanged, effect).count
        total += last
        later = {"key": f"{command.key}/{total}", "instead_of": None}
        part = command.model_copy(update=later)
    return LettersChanged(count=total, more=last == SLICE)


def _dead(tx: Transaction, letter: UUID) -> Row:
    row = tx.row("dead_letters.get_for_update", id=letter)
    if row is None:
        raise DeadLetterNotFound(id=str(letter))
    if row["state"] != LetterState.DEAD:
        raise LetterNotDead(f"The letter is {row['state']}.", state=row["state"])
    return row


def _mended(request: BaseModel, before: Any) -> BaseModel:
    """The request in place of the first one, whichever key the editor has left in it."""
    if not (isinstance(request, Write) and isinstance(before, dict)):
        return request
    first = before.get("instead_of") or before.get("key")
    if not isinstance(first, str) or "\0" in first or len(first) > KEY_MAX:
        return request  # no effect can have had it
    return request.model_copy(update={"instead_of": first})


def _refuse_done(tx: Transaction, request: BaseModel) -> None:
    if isinstance(request, Write):
        key = request.instead_of or request.key
        if tx.row("effects.first", key=key) is not None:
            raise EffectDone(key=key)


def _cursor(text: str) -> dict[str, Any]:
    at, _, letter = text.partition("/")
    try:
        return {"cursor_at": letters.moment_of(at), "cursor_id": UUID(letter)}
    except ValueError:
        errors = [{"field": "cursor", "code": "CURSOR_UNKNOWN", "message": "is no cursor of ours"}]
        raise ValidationFailed(errors=errors) from None
