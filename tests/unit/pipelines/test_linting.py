"""The linter: a good folder is silent, and each fault has its file, line and code."""

from pathlib import Path

import pytest

from contracts.errors import SourceUnreadable
from pipelines.linting import lint, rules_for

GOOD = """---
title: "S0C7 non-numeric data in a decimal field"
category: Batch
severity: high
tags: [abend, cobol]
codes: [S0C7]
related: [batch/two]
---

## Problem

A step ends with S0C7: a field that should be packed decimal holds something else.

**How to recognise it**

```text
IEF450I JOB1 STEP1 - ABEND=S0C7
9. **not a step**
```

## Solution

**Likely causes**, most likely first:

- Spaces in a counter.

**Steps**

1. Read the dump.
2. Mend the record.

**Check that it is solved**: the step ends with its usual code.
"""
TWO = GOOD.replace("S0C7", "S0CB").replace("[batch/two]", "[batch/one]")
for before, after in (
    ("A step ends with", "Somebody divided by zero, and the program was ended by the system under"),
    ("a field that should be packed decimal holds something else", "look for the divisor"),
    ("Spaces in a counter", "A rate of zero was read from the table of rates"),
    ("Read the dump", "Find the statement in the listing by its offset"),
    ("Mend the record", "Test the divisor before each division"),
    ("the step ends with its usual code", "run it with a rate of zero"),
    ("non-numeric data in a decimal field", "division by zero"),
):
    TWO = TWO.replace(before, after)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two entries without a fault, and the codes that there are."""
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "one.md").write_text(GOOD)
    (tmp_path / "batch" / "two.md").write_text(TWO)
    (tmp_path / "codes.tsv").write_text("code\tkind\tmeaning\nS0C7\tabend\tx\nS0CB\tabend\ty\n")
    (tmp_path / "README.md").write_text("# About\n")
    return tmp_path


def findings(folder: Path, *ignored: str) -> list[str]:
    """What is found, as it is printed, without the folder."""
    _, found = lint(folder, rules_for(folder, ignored=ignored))
    return [str(one).removeprefix(f"{folder}/") for one in found]


def test_good_entries_are_silent(folder: Path) -> None:
    """Nothing is found; what stands in fences is no heading and no step."""
    assert findings(folder) == []
    assert lint(folder, rules_for(folder))[0] == 2


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("title: ", "title ", "batch/one.md:3: MARKDOWN_UNREADABLE mapping values are not"),
        ("title: ", "name: x\ntitle: ", "batch/one.md:2: FIELD_INVALID name: Extra inputs are not"),
        (
            "severity: high",
            "severity: huge",
            "batch/one.md:4: FIELD_INVALID severity: Input should",
        ),
        ("Batch", "Bacth", "batch/one.md:3: CATEGORY_UNKNOWN Bacth is none that is known; is it B"),
        ("[S0C7]", "[SOC7]", "batch/one.md:6: CODE_UNKNOWN SOC7 is not in the list; is it S0C7?"),
        (
            "[batch/two]",
            "[batch/tow]",
            "batch/one.md:7: LINK_NOWHERE there is no entry batch/tow; is",
        ),
        (
            "[batch/two]",
            "[batch/one]",
            "batch/one.md:7: FIELD_INVALID related: an entry can't be re",
        ),
        (
            "**How to recog",
            "**How to know",
            "batch/one.md:10: PART_MISSING there is no **How to rec",
        ),
        (
            "**Likely causes**",
            "Causes",
            "batch/one.md:21: PART_MISSING there is no **Likely causes",
        ),
        ("**Check that", "**See that", "batch/one.md:21: PART_MISSING there is no **Check that it"),
        ("2. Mend", "3. Mend", "batch/one.md:30: STEPS_OUT_OF_ORDER step 3 stands where 2 is due"),
        ("## Problem", "## Trouble", "batch/one.md:10: MARKDOWN_UNREADABLE there is text before"),
        ("A step ends", "\udcff", "batch/one.md:1: ENCODING_UNREADABLE is not UTF-8"),
    ],
)
def test_a_fault_is_found(folder: Path, before: str, after: str, expected: str) -> None:
    """One fault is one finding, at its line."""
    text = GOOD.replace(before, after, 1).encode(errors="surrogateescape")
    (folder / "batch" / "one.md").write_bytes(text)
    (found,) = findings(folder)
    assert found.startswith(expected)


def test_an_entry_without_steps_or_problem_is_told(folder: Path) -> None:
    """An empty entry lacks every part."""
    (folder / "batch" / "one.md").write_text(GOOD.partition("## Problem")[0])
    assert [one.partition(" ")[2] for one in findings(folder)] == [
        "PART_MISSING there are no numbered steps",
        "PART_MISSING there is no **Check that it is solved** in the solution",
        "PART_MISSING there is no **How to recognise it** in the problem",
        "PART_MISSING there is no **Likely causes** in the solution",
        "PART_MISSING there is no problem",
    ]


def test_no_two_are_alike(folder: Path) -> None:
    """One id, one title, nearly one text: the second file is told of the first."""
    copy = GOOD.replace("tags:", "external_id: batch/one\ntags:").replace("Spaces", "Blanks")
    (folder / "batch" / "three.md").write_text(copy)
    one = folder / "batch" / "one.md"
    found = findings(folder)
    assert f"batch/three.md:2: TITLE_TAKEN {one} has this title already" in found
    assert f"batch/three.md:5: ID_TAKEN batch/one is the external id of {one} already" in found
    assert any(line.startswith("batch/three.md:11: TEXT_ALIKE shares 9") for line in found)


def test_a_circle_is_found_where_it_makes_no_sense(folder: Path) -> None:
    """Entries may be related round about, but not each before the other."""
    assert findings(folder) == []
    for name, text, other in (("one", GOOD, "two"), ("two", TWO, "one")):
        link = f"[{{to: batch/{other}, kind: prerequisite}}]"
        (folder / "batch" / f"{name}.md").write_text(text.replace(f"[batch/{other}]", link))
    assert findings(folder) == [
        "batch/one.md:7: LINK_CIRCULAR prerequisite: batch/one → batch/two → batch/one"
    ]


def test_what_is_known_can_be_said(folder: Path) -> None:
    """Other categories, another list of codes or none, findings that nobody wants."""
    for name, text in (("one", GOOD), ("two", TWO)):
        text = text.replace("Batch", "Linux").replace("codes: [S0C", "codes: [E1")
        (folder / "batch" / f"{name}.md").write_text(text)
    assert len(findings(folder)) == 4
    assert findings(folder, "CATEGORY_UNKNOWN", "CODE_UNKNOWN") == []
    codes = folder / "others.tsv"
    codes.write_text("code\tkind\tmeaning\nE17\te\tx\nE1B\te\ty\n")
    assert lint(folder, rules_for(folder, codes, ["Linux"])) == (2, [])
    (folder / "codes.tsv").unlink()
    assert findings(folder, "CATEGORY_UNKNOWN") == []


def test_a_folder_without_entries_is_an_error(tmp_path: Path) -> None:
    """Nothing was looked at: that is no success."""
    with pytest.raises(SourceUnreadable, match="has no Markdown files"):
        lint(tmp_path, rules_for(tmp_path))
    (tmp_path / "codes.tsv").write_bytes(b"\xff")
    with pytest.raises(SourceUnreadable, match="can't be read"):
        rules_for(tmp_path)
