"""Markdown: one entry a file; YAML front matter, then `## Problem` and `## Solution`."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import yaml

from contracts.entries import EntryFields
from contracts.imports import ROW_BYTES
from pipelines.formats.source import Found, Source, SourceRow

FRONT_MATTER = re.compile(r"\A\ufeff?---\r?\n(.*?)^---[ \t]*\r?\n(.*)\Z", re.DOTALL | re.MULTILINE)
FRONT_MATTER_MAX = 64 * 1024  # characters: reading YAML takes a second for every 100,000
SECTION = re.compile(r"^## (Problem|Solution)[ \t]*$", re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few of them, nested, are gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("an alias (*name) stands in the front matter")
        return super().compose_node(parent, index)


def entry(source: Source) -> Iterator[Found]:
    """The file's one entry. Without an `external_id` of its own it is `folder/name`."""
    data = source.stream.read(ROW_BYTES + 1)
    if len(data) > ROW_BYTES:
        yield source.reject(1, "ROW_TOO_LARGE", "the file is too large for an entry", data)
        return
    try:
        yield SourceRow(source.name, 1, parse(data.decode(), source.name))
    except UnicodeDecodeError as error:
        yield source.reject(1, "ENCODING_UNREADABLE", f"is not UTF-8: {error}", data)
    except ValueError as error:
        yield source.reject(1, "MARKDOWN_UNREADABLE", " ".join(str(error).split()), data)


def parse(text: str, name: str) -> dict[str, Any]:
    """The entry's fields. Raises ValueError."""
    found = FRONT_MATTER.match(text)
    if found is None:
        raise ValueError("there is no front matter between two lines of ---")
    fields = _front_matter(found[1])
    before, *sections = SECTION.split(found[2])
    if before.strip():
        raise ValueError("there is text before the first section")
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        fields[heading.lower()] = body.strip()
    path = PurePath(name)
    fields.setdefault("external_id", "/".join((*path.parts[-2:-1], path.stem)))
    return fields


def _front_matter(text: str) -> dict[str, Any]:
    if len(text) > FRONT_MATTER_MAX:
        raise ValueError(f"the front matter has more than {FRONT_MATTER_MAX} characters")
    try:
        fields = yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError("the front matter is nested too deeply") from None
    except (yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        # The latter: a tag that does not fit its value (`!!int ""`, `!!bool x`).
        raise ValueError(str(error)) from None
    if not isinstance(fields, dict):
        raise ValueError("the front matter is no mapping")
    if not all(isinstance(name, str) for name in fields):
        raise ValueError("a name in the front matter is no text")
    return fields


def render(entry: EntryFields) -> str:
    """The entry as such a file: what `parse` reads back."""
    front = entry.model_dump(mode="json", include={"title", "category", "severity", "tags"})
    if entry.custom:
        front["custom"] = entry.custom
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n\n## Problem\n\n{entry.problem}\n\n## Solution\n\n{entry.solution}\n"
