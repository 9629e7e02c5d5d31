"""Markdown: what is written is read back, whatever the texts hold; errors name their line."""

from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.entries import CUSTOM_DEPTH, RelationKind, Severity
from contracts.imports import ImportedEntry
from contracts.links import Link
from pipelines.formats.front_matter import Unreadable
from pipelines.formats.markdown import file_of, parse

NAME = "kb/batch/s0c7.md"
TRAPS = (
    *("## Problem", "## Solution\r", "\\## Problem", "\\\\## Solution  ", "---", "```", "\r\n"),
    *("\n", " ", "\t", "no", "1e3", ": x", "# x", "null", "~", "2024-01-01", "0013", "- a", "&a"),
    *("*a", "!!int", "\x85", "\u2028", "\ufeff", "\x1b", "ä", "日", "\U0001f600", "'", '"', "\\"),
)

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.sampled_from(TRAPS) | st.text(characters, max_size=5)).map("".join)
shorts = texts.map(lambda text: text.strip()[:90]).filter(lambda text: text.strip() != "")
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(-9e18, 9e18)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
customs = st.dictionaries(texts, json_values, max_size=3)
with_codes = st.builds(
    lambda custom, codes: custom | {"codes": codes},
    customs,
    st.lists(texts, max_size=3) | json_values,
)
links = st.builds(
    Link,
    to=shorts.filter(lambda name: name != "batch/s0c7"),
    kind=st.sampled_from(RelationKind),
    strength=st.floats(0, 1),
)


@st.composite
def entries(draw: st.DrawFn) -> ImportedEntry:
    """Any entry that can be kept."""
    own = draw(st.just("batch/s0c7") | shorts | st.none())
    related = [] if own is None else draw(st.lists(links, max_size=3))
    return ImportedEntry(
        title=f"abc{draw(texts)}"[:200] if draw(st.booleans()) else draw(shorts) + "...",
        problem=draw(texts),
        solution=draw(texts),
        category=draw(shorts),
        severity=draw(st.sampled_from(Severity)),
        tags=draw(st.lists(shorts, max_size=4)),
        custom=draw(customs | with_codes),
        external_id=own,
        source=draw(st.just("") | shorts),
        related=[link for link in related if link.to != own],
    )


DEEP: dict[str, Any] = {"codes": ["S0C7"], "deep": {}}
for _ in range(CUSTOM_DEPTH - 2):
    DEEP["deep"] = {"x": DEEP["deep"]}


@given(entries())
@example(ImportedEntry(title="1e3", problem="\n---\n", solution="## Problem\n", custom=DEEP))
@example(
    ImportedEntry(
        title="a" * 255, external_id="x", custom={"k" * 2000: 1e18, "codes": ["-805", "00"]}
    )
)
@example(ImportedEntry(title=": x", problem="x" * 100_000, custom={"x": [1e18, -1e-7]}))
@example(ImportedEntry(title=": x", solution="\r\n" * 50_000))
@example(
    ImportedEntry(
        title="yes",
        tags=[f"{n:02}" + "\ufeff" * 98 for n in range(64)],
        custom={"x": "\x85" * 8_000},
    )
)
def test_what_is_written_is_read_back(entry: ImportedEntry) -> None:
    """Every field of any entry comes back from its file as it was."""
    assert ImportedEntry(**parse(file_of(entry, NAME), NAME)) == entry


@settings(max_examples=50)
@given(entries())
def test_a_file_is_written_the_same_way_again(entry: ImportedEntry) -> None:
    """Read and written once more, a file has the same bytes."""
    once = file_of(entry, NAME)
    assert file_of(ImportedEntry(**parse(once, NAME)), NAME) == once


def test_a_file_is_made_for_reading() -> None:
    """Plain words stay plain, and what is the default is left out."""
    entry = ImportedEntry(
        title="S0C7: no number",
        category="Batch",
        tags=["abend", "file status"],
        problem="Seen.",
        solution="1. Mend.",
        custom={"codes": ["S0C7", "-805"]},
        external_id="batch/s0c7",
        related=["batch/s0cb", {"to": "batch/s0c4", "kind": "prerequisite"}],
    )
    assert file_of(entry, NAME) == (
        '---\ntitle: "S0C7: no number"\ncategory: Batch\nseverity: medium\n'
        'tags: [abend, file status]\ncodes: [S0C7, "-805"]\n'
        "related: [{kind: prerequisite, to: batch/s0c4}, batch/s0cb]\n---\n\n"
        "## Problem\n\nSeen.\n\n## Solution\n\n1. Mend.\n"
    )


def test_texts_are_read_as_written() -> None:
    """Where text is due no number, date or boolean is made of it, and leading zeros stay."""
    fields = parse(
        "---\ntitle: no\ncategory: 2024-01-01\ncodes: [0013, -805, 1e3]\ntags: [35, on]\n"
        "external_id: 007\nrelated: [12, {to: 0x1F, strength: 0.5}]\ncustom: {n: 12}\n---\n",
        NAME,
    )
    assert fields == {
        "title": "no",
        "category": "2024-01-01",
        "tags": ["35", "on"],
        "external_id": "007",
        "related": ["12", {"to": "0x1F", "strength": "0.5"}],
        "custom": {"n": 12, "codes": ["0013", "-805", "1e3"]},
    }


def test_line_ends_of_another_system_are_understood() -> None:
    """A file with CR LF everywhere has the same sections."""
    text = "---\ntitle: abc\n---\n\n## Problem\n\nSeen.\n\n## Solution\n\n1. Mend.\n"
    assert parse(text.replace("\n", "\r\n"), NAME) == parse(text, NAME)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("no front matter", 1, "there is no front matter between two lines of ---"),
        ("---\ntitle: a\ntags: [a\n---\n", 4, "expected ',' or ']'"),
        ("---\ntitle: a: b\n---\n", 2, "mapping values are not allowed here"),
        ("---\n- a\n---\n", 2, "the front matter is no mapping"),
        ("---\n1: a\n---\n", 2, "a name in the front matter is no text"),
        ("---\ntitle: a\ntitle: b\n---\n", 3, "title stands twice in it"),
        ("---\na: &x 1\nb: *x\n---\n", 3, "an alias"),
        ("---\na: !!int x\n---\n", 1, "invalid literal"),
        ("---\ntitle: abc\n---\n\nstray\n", 5, "there is text before the first section"),
        ("---\ntitle: abc\n---\n\n## Problem\n\na\n\n## Problem\n", 9, "there is a second problem"),
        ("---\nproblem: abc\n---\n\n## Problem\n", 5, "there is a second problem"),
        ("---\ntitle: abc\ncodes: {a: b}\n---\n", 3, "codes: is no list of texts"),
        ("---\ncodes: [a]\ncustom: {codes: [b]}\n---\n", 2, "codes: the custom fields have theirs"),
        ("---\na: " + "[" * 3000 + "\n---\n", 1, "nested too deeply"),
    ],
)
def test_a_broken_file_is_told_by_line(text: str, line: int, message: str) -> None:
    """What can't be read says why, and where in the file that is."""
    with pytest.raises(Unreadable, match=message.replace("[", r"\[").replace("*", r"\*")) as found:
        parse(text, NAME)
    assert found.value.line == line


@pytest.mark.parametrize(
    ("name", "expected"),
    [("kb/batch/s0c7.md", "batch/s0c7"), ("s0c7.md", "s0c7"), ("/a/b.c.md", "a/b.c")],
)
def test_a_file_names_its_entry(name: str, expected: str) -> None:
    """Without an external id the folder and the name are it."""
    assert parse("---\ntitle: abc\n---\n", str(PurePath(name)))["external_id"] == expected
