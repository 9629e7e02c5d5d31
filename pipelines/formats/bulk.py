"""What Elasticsearch's `_bulk` takes: lines in pairs, an action and its document."""

from collections.abc import Iterator
from typing import Any

from contracts.imports import Reject
from pipelines.formats.jsons import parsed
from pipelines.formats.source import Found, Source, SourceRow, too_long

ACTIONS = ("index", "create", "update", "delete")


def is_action(data: Any) -> bool:
    """Whether this object is an action line: one known word, and where it applies."""
    if not isinstance(data, dict) or len(data) != 1:
        return False
    ((word, where),) = data.items()
    return word in ACTIONS and isinstance(where, dict)


def pairs(source: Source) -> Iterator[Found]:
    """Each document with the `_id` of its action; its line is the document's.

    A deletion is a reject: an import adds and changes. So is an update: what its `doc` does not
    name would be emptied, as a row is a whole entry.
    """
    action: tuple[str, dict[str, Any]] | None = None
    number = 0
    for number, line in source.lines():
        if not line.strip():
            continue
        value = parsed(source, number, line, cut=too_long(line))
        if action is not None:
            if not isinstance(value, Reject):
                value = _row(source, number, *action, value, line)
            yield value
            action = None
        elif isinstance(value, Reject):
            yield value
        elif not is_action(value):
            message = f"an action is due here: one of {', '.join(ACTIONS)}"
            yield source.reject(number, "BULK_NO_ACTION", message, line)
        else:
            ((word, where),) = value.items()
            if word == "delete":
                message = "an import adds and changes; it does not delete"
                yield source.reject(number, "BULK_DELETE", message, line)
            else:
                action = (word, where)
    if action is not None:
        yield source.reject(number + 1, "BULK_NO_DOCUMENT", "the action has no document")


def _row(
    source: Source,
    number: int,
    word: str,
    where: dict[str, Any],
    data: dict[str, Any],
    line: bytes,
) -> Found:
    if word == "update":
        message = "an update changes a part of a document; an import takes whole ones (index)"
        return source.reject(number, "BULK_UPDATE", message, line)
    if where.get("_id") is not None:
        data = data | {"_id": where["_id"]}
    return SourceRow(source.name, number, data, len(line))
