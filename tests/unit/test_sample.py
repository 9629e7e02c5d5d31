"""The sample: every entry fits, is complete and is unlike the others."""

import re
from pathlib import Path

import pytest

from contracts.entries import PRESET_CATEGORIES
from contracts.imports import ImportedEntry
from deploy.local import SAMPLE
from pipelines.formats.markdown import parse

FILES = sorted(SAMPLE.rglob("*.md"))
ENTRIES = {file: ImportedEntry(**parse(file.read_text(), str(file))) for file in FILES}


def test_there_are_enough() -> None:
    """At least the sixty that were promised, with titles and ids of their own."""
    assert len(FILES) >= 60
    assert len({entry.title for entry in ENTRIES.values()}) == len(FILES)
    assert len({entry.external_id for entry in ENTRIES.values()}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_entry_is_complete(file: Path) -> None:
    """A preset category, tags, a problem, causes, numbered steps in order, and a check."""
    entry = ENTRIES[file]
    assert entry.category in {name for _, name, _ in PRESET_CATEGORIES}
    assert 2 <= len(entry.tags) <= 6
    assert len(entry.problem.split()) >= 40
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", entry.solution, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 3
    assert "Likely causes" in entry.solution
    assert "Check that it is solved" in entry.solution
