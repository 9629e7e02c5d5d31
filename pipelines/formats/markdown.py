"""Markdown: one entry a file; YAML front matter, then `## Problem` and `## Solution`.

What `render` writes `parse` reads back, whatever the texts hold: a line that would be a heading of
ours has a backslash before it, and where a text begins or ends with blanks the front matter says
`verbatim: true`, so that none of them are taken for the file's.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import orjson

from contracts.entries import EntryFields
from contracts.imports import ROW_BYTES, ImportedEntry
from pipelines.formats import front_matter
from pipelines.formats.compression import bare
from pipelines.formats.front_matter import Fields, Lines, Unreadable
from pipelines.formats.source import Found, Source, SourceRow

FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n(.*))?\Z", re.DOTALL | re.MULTILINE
)
HEADING = re.compile(r"^## (Problem|Solution)[ \t]*\r?$", re.MULTILINE)
LIKE_HEADING = re.compile(r"^(\\*## (?:Problem|Solution)[ \t]*\r?)$", re.MULTILINE)
ESCAPED = re.compile(r"^\\(\\*## (?:Problem|Solution)[ \t]*\r?)$", re.MULTILINE)
OPENING = re.compile(r"\A\n(?:\r?\n)?")  # between a heading and a text that is taken as it stands


@dataclass(frozen=True)
class Document:
    """A file as it was read: the entry's fields, and the line at which each begins."""

    fields: Fields
    lines: Lines


def entry(source: Source) -> Iterator[Found]:
    """The file's one entry."""
    data = source.stream.read(ROW_BYTES + 1)
    if len(data) > ROW_BYTES:
        yield source.reject(1, "ROW_TOO_LARGE", "the file is too large for an entry", data)
        return
    try:
        yield SourceRow(source.name, 1, parse(data.decode(), bare(source.name)))
    except UnicodeDecodeError as error:
        yield source.reject(1, "ENCODING_UNREADABLE", f"is not UTF-8: {error}", data)
    except Unreadable as error:
        yield source.reject(error.line, "MARKDOWN_UNREADABLE", str(error), data)


def parse(text: str, name: str) -> Fields:
    """The entry's fields; without an `external_id` of its own it is called after its file.

    Raises: Unreadable.
    """
    return read(text, name).fields


def read(text: str, name: str) -> Document:
    """As `parse`, with the lines of the file. Raises: Unreadable."""
    found = FRONT_MATTER.match(text)
    if found is None:
        raise Unreadable("there is no front matter between two lines of ---")
    fields, lines = front_matter.load(found[1])
    verbatim = fields.pop("verbatim", False) is True
    _sections(text, found.start(2) if found[2] is not None else len(text), fields, lines, verbatim)
    _codes(fields, lines)
    fields.setdefault("external_id", called(name))
    return Document(fields, lines)


def called(name: str) -> str:
    """The external id of a file that does not say one: `folder/name`."""
    path = PurePath(name)
    return "/".join((*path.parts[-2:-1], path.stem))


def _sections(text: str, begin: int, fields: Fields, lines: Lines, verbatim: bool) -> None:
    headings = list(HEADING.finditer(text, begin))
    before = text[begin : headings[0].start() if headings else len(text)]
    if before.strip():
        at = begin + len(before) - len(before.lstrip())
        raise Unreadable("there is text before the first section", _line(text, at))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):
        name, line = heading[1].lower(), _line(text, heading.start())
        if name in fields:
            raise Unreadable(f"there is a second {name}", line)
        body = text[heading.end() : end]
        if verbatim:
            body = OPENING.sub("", body).removesuffix("\n" if end == len(text) else "\n\n")
        fields[name] = ESCAPED.sub(r"\1", body if verbatim else body.strip())
        lines[name] = line


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _codes(fields: Fields, lines: Lines) -> None:
    """`codes` are kept among the custom fields."""
    codes = fields.pop("codes", None)
    if codes is None or codes == []:
        return
    codes = [codes] if isinstance(codes, str) else codes
    if not _are_codes(codes):
        raise Unreadable("codes: is no list of texts", lines["codes"])
    custom = fields.get("custom") or {}
    if isinstance(custom, str):
        with contextlib.suppress(orjson.JSONDecodeError):
            custom = orjson.loads(custom)
    if not isinstance(custom, dict) or "codes" in custom:
        raise Unreadable("codes: the custom fields have theirs", lines["codes"])
    fields["custom"] = custom | {"codes": codes}


def render(entry: EntryFields, more: Fields | None = None) -> str:
    """The entry as such a text, with `more` in its front matter: what `parse` reads back."""
    bodies = {"Problem": entry.problem, "Solution": entry.solution}
    text = "\n\n".join(
        f"## {heading}\n\n" + LIKE_HEADING.sub(r"\\\1", body) for heading, body in bodies.items()
    )
    return f"---\n{front_matter.dump(_front(entry, more or {}))}---\n\n{text}\n"


def file_of(entry: ImportedEntry, name: str) -> str:
    """The entry as the text of a file that is called `name`."""
    more: Fields = {"related": [link.written() for link in entry.related], "source": entry.source}
    more = {field: value for field, value in more.items() if value}
    if entry.external_id != called(name) or not called(name).isascii():  # some systems respell it
        more["external_id"] = entry.external_id
    return render(entry, more)


def _front(entry: EntryFields, more: Fields) -> Fields:
    front: Fields = {"title": entry.title, "category": entry.category}
    front |= {"severity": entry.severity.value, "tags": entry.tags}
    custom = dict(entry.custom)
    if _are_codes(custom.get("codes")):
        front["codes"] = custom.pop("codes")
    front |= more
    if custom:
        front["custom"] = custom
    if any(body != body.strip() for body in (entry.problem, entry.solution)):
        front["verbatim"] = True
    return front


def _are_codes(value: Any) -> bool:
    listed = isinstance(value, list) and value != []
    return listed and all(isinstance(code, str) and code for code in value)
