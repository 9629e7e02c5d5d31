"""What Elasticsearch's `_bulk` takes: lines in pairs, an action and its document."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from contracts.imports import Reject
from pipelines.formats.jsons import parsed
from pipelines.formats.source import Found, Source, SourceRow, Unread, too_long

ACTIONS = ("index", "create", "update", "delete")


class _Action(NamedTuple):
    word: str
    id: Any
    line: bytes


def is_action(data: Any) -> bool:
    """Whether this object is an action line: one known word, and where it applies."""
    if not isinstance(data, dict) or len(data) != 1:
        return False
    ((word, where),) = data.items()
    return word in ACTIONS and isinstance(where, dict)


def pairs(source: Source) -> Iterator[Found]:
    """Each document with the `_id` of its action; its line is the document's.

    A deletion is a reject: an import adds and changes. So is an update: what its `doc` does not
    name would be emptied, as a row is a whole entry. A reject has its action's line and `_id` too.
    """
    action: _Action | None = None
    number = 0
    for number, line in source.lines():
        if not line.strip():
            continue
        value = parsed(source, number, line, cut=too_long(line))
        if action is not None:
            yield _row(source, number, action, value, line)
            action = None
        elif isinstance(value, Reject):
            yield value
        elif not is_action(value):
            message = f"an action is due here: one of {', '.join(ACTIONS)}"
            yield source.reject(number, "BULK_NO_ACTION", message, line)
        else:
            ((word, where),) = value.items()
            action = _Action(word, where.get("_id"), line)
            if word == "delete":
                message = "an import adds and changes; it does not delete"
                yield source.reject(number, "BULK_DELETE", message, line, known_id=action.id)
                action = None
    if action is not None:
        message = "the action has no document"
        yield source.reject(
            number + 1, "BULK_NO_DOCUMENT", message, action.line, known_id=action.id
        )


def _row(
    source: Source, number: int, action: _Action, data: dict[str, Any] | Unread, line: bytes
) -> Found:
    if isinstance(data, dict) and action.word != "update":
        if action.id is not None:
            data = data | {"_id": action.id}
        return SourceRow(source.name, number, data, len(line))
    code = "BULK_UPDATE"
    message = "an update changes a part of a document; an import takes whole ones (index)"
    if isinstance(data, Unread):
        code, message = data.code, data.message
    pair = action.line.rstrip(b"\r\n") + b"\n" + line
    return source.reject(number, code, message, pair, known_id=action.id)
