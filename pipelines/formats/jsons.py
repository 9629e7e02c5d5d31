"""JSON: NDJSON, arrays, and what search servers answer or export."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from pipelines.formats.source import Found, Source, SourceRow, too_long
from pipelines.formats.values import Misplaced, TooLong, Values

BLANK = b" \t\r\n\x1a"  # the last one is how DOS marks the end of a text


def lines(source: Source) -> Iterator[Found]:
    """NDJSON: one object a line; blank lines are passed over."""
    for number, line in source.lines():
        if not line.strip(BLANK):
            continue
        value = parsed(source, number, line, cut=too_long(line))
        yield value if not isinstance(value, dict) else row_of(source, number, value, len(line))


def array(source: Source) -> Iterator[Found]:
    """Rows in an array, or one after the other; a row's line is its place, from 1.

    Where the text is no JSON any further the rest can't be read: that is one reject.
    """
    return _values(source, Values.rows)


def answers(source: Source) -> Iterator[Found]:
    """The rows in answers of Elasticsearch, Meilisearch or Typesense; lines as in `array`."""
    return _values(source, Values.answers)


def parsed(source: Source, number: int, text: bytes, *, cut: bool = False) -> Any:
    """The object in `text`, or the Reject that says why there is none."""
    if cut:
        return source.reject(number, "ROW_TOO_LARGE", "is too long for a row", text)
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            text.decode()
        except UnicodeDecodeError as wrong:
            return source.reject(number, "ENCODING_UNREADABLE", f"is not UTF-8: {wrong}", text)
        return source.reject(number, "JSON_UNREADABLE", str(error), text)
    if isinstance(data, dict):
        return data
    message = f"a row is an object, not {type(data).__name__}"
    return source.reject(number, "NOT_AN_OBJECT", message, text)


def row_of(source: Source, number: int, data: dict[str, Any], size: int = 0) -> SourceRow:
    """The row in `data` of `size` bytes: a search hit is its document, with the hit's `_id`."""
    inner = data.get("_source")
    if isinstance(inner, dict) and "_id" in data:  # Elasticsearch, elasticdump
        data = inner | {"_id": data["_id"]}
    else:
        inner = data.get("document")
        if isinstance(inner, dict) and data.keys() & {"highlight", "highlights", "text_match"}:
            data = inner  # Typesense
    return SourceRow(source.name, number, data, size)


def _values(source: Source, read: Callable[[Values], Iterator[bytes]]) -> Iterator[Found]:
    number = 0
    try:
        for text in read(Values(source.stream)):
            number += 1
            value = parsed(source, number, text, cut=isinstance(text, TooLong))
            yield value if not isinstance(value, dict) else row_of(source, number, value, len(text))
    except (Misplaced, EOFError) as error:
        message = f"can't be read any further: {error}"
        yield source.reject(number + 1, "JSON_UNREADABLE", message, ends=True)
