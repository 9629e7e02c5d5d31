"""NDJSON and JSON arrays."""

from collections.abc import Iterator
from typing import Any

import ijson
import orjson

from pipelines.formats.source import Found, Source, SourceRow, too_long

BOM = b"\xef\xbb\xbf"


def lines(source: Source) -> Iterator[Found]:
    """NDJSON: one object a line; blank lines are passed over."""
    for number, line in source.lines():
        text = line.removeprefix(BOM) if number == 1 else line
        if not text.strip():
            continue
        if too_long(text):
            yield source.reject(number, "ROW_TOO_LARGE", "the line is too long for a row", text)
            continue
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            yield source.reject(number, "JSON_UNREADABLE", str(error), text)
            continue
        yield _row(source, number, data)


def array(source: Source) -> Iterator[Found]:
    """A JSON array of objects, streamed; a row's line is its place in the array, from 1.

    Where the JSON breaks the rest can't be read: that is one reject.
    """
    number = 0
    try:
        for data in ijson.items(source.stream, "item", use_float=True):
            number += 1
            yield _row(source, number, data)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        message = f"the array can't be read any further: {str(error) or type(error).__name__}"
        yield source.reject(number + 1, "JSON_UNREADABLE", message[:1000])


def _row(source: Source, number: int, data: Any) -> Found:
    if isinstance(data, dict):
        return SourceRow(source.name, number, data)
    kind = type(data).__name__
    return source.reject(number, "NOT_AN_OBJECT", f"a row is an object, not {kind}")
