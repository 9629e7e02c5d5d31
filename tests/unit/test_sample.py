"""The sets that come with Casebook: every entry fits, is complete and is unlike the others."""

from pathlib import Path

import pytest

from contracts.imports import ImportedEntry
from deploy.local import SAMPLE
from pipelines.formats.markdown import parse
from pipelines.linting import lint, rules_for

STARTER = SAMPLE.with_name("starter")
FILES = sorted([*SAMPLE.rglob("*.md"), *STARTER.rglob("*.md")])


def test_the_sample_is_without_findings() -> None:
    """As `casebook lint deploy/sample` says."""
    files, findings = lint(SAMPLE, rules_for(SAMPLE))
    assert [str(finding) for finding in findings] == []
    assert files >= 300


def test_the_starter_set_is_without_findings() -> None:
    """It is of another field, with categories of its own."""
    files, findings = lint(STARTER, rules_for(STARTER, ignored=["CATEGORY_UNKNOWN"]))
    assert [str(finding) for finding in findings] == []
    assert files >= 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_entry_is_worth_reading(file: Path) -> None:
    """Tags, a problem of some sentences, and steps enough to follow."""
    entry = ImportedEntry(**parse(file.read_text(), str(file)))
    assert 2 <= len(entry.tags) <= 6
    assert len(entry.problem.split()) >= 40
    assert "\n3. " in entry.solution
