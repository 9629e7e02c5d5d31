"""A folder of entries: each has its file, wherever that is, and only what changed is written."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from contracts.imports import ImportedEntry
from pipelines.formats.markdown import parse
from pipelines.formats.markdown_folder import MarkdownFolder

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.text(characters, min_size=1, max_size=255) | st.sampled_from(
    [
        "S0C7",
        "s0c7",
        "batch/s0c7",
        "../../etc/passwd",
        "/",
        ".",
        "..",
        "a/b/c",
        "x" * 255,
        "ä" * 255,
    ]
)


def entry(name: str, category: str = "Batch", **fields: Any) -> ImportedEntry:
    """An entry of this external id."""
    return ImportedEntry(
        external_id=name, category=category, title=f"title of {name}"[:99], **fields
    )


def put(root: Path, *entries: ImportedEntry, source: str | None = None) -> list[bool]:
    """Which of the entries were written."""
    folder = MarkdownFolder(root, source)
    return [folder.put(one) for one in entries]


def files(root: Path) -> list[str]:
    """Where the files are."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def shapes(root: Path) -> list[str]:
    """As `files`, with # for each digest."""
    return [re.sub(r"~[0-9a-f]{10}", "~#", name) for name in files(root)]


def test_files_are_called_after_their_entries(tmp_path: Path) -> None:
    """By category and external id; an id that is no plain name has a digest behind it."""
    put(
        tmp_path,
        entry("batch/s0c7"),
        entry("p1", "Access Control"),
        entry("KB 12", "I/O"),
        entry("..", "日"),
        entry("p1", "JCL", source="wiki"),
        entry("p1", "JCL", source="The Wiki"),
    )
    assert shapes(tmp_path) == [
        "access-control/p1.md",
        "batch/s0c7.md",
        "i-o/kb-12~#.md",
        "the-wiki~#/jcl/p1.md",
        "wiki/jcl/p1.md",
        "日/entry~#.md",
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_two_ids_that_sound_alike_have_their_files(tmp_path: Path, order: int) -> None:
    """Whichever comes first, the one that is named after its folder has the plain name."""
    entries = [entry("batch/s0c7"), entry("s0c7"), entry("S0C7")]
    put(tmp_path, *entries[::order])
    ids = {
        name: parse((tmp_path / name).read_text(), name)["external_id"] for name in files(tmp_path)
    }
    assert ids["batch/s0c7.md"] == "batch/s0c7"
    assert sorted(ids.values()) == ["S0C7", "batch/s0c7", "s0c7"]
    assert not any(put(tmp_path, *entries))


@settings(max_examples=30)
@given(st.lists(names, unique=True, max_size=5), st.text(characters, min_size=3, max_size=100))
def test_any_id_is_a_file_that_says_it(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], category: str
) -> None:
    """No id leaves the folder or shares a file, also on a system that is blind to case."""
    root = tmp_path_factory.mktemp("kb")
    category = category.strip().ljust(1, "x")
    entries = [entry(name, category[:99].strip() or "x") for name in ids]
    put(root, *entries)
    found = files(root)
    assert len({name.casefold() for name in found}) == len(found) == len(ids)
    assert all(len(part.encode()) <= 255 for name in found for part in name.split("/"))
    assert not any(put(root, *entries))


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """A file that says the same in other words stays as a person wrote it, where it is."""
    mine = tmp_path / "abends" / "mine.md"
    mine.parent.mkdir()
    mine.write_text(
        "---\ntitle:   title of a\nexternal_id: a\ncategory: Batch\n---\n\n## Problem\n\n\nx\n"
    )
    before = mine.read_text()
    assert put(tmp_path, entry("a", problem="x", source="s"), source="s") == [False]
    assert mine.read_text() == before
    assert put(tmp_path, entry("a", problem="y", source="s"), source="s") == [True]
    assert files(tmp_path) == ["abends/mine.md"]
    assert "\ny\n" in mine.read_text()


def test_entries_that_are_gone_are_named(tmp_path: Path) -> None:
    """Of the source that is written; another one's files are nobody's business."""
    put(tmp_path, entry("a"), entry("b"), entry("c", source="s"))
    folder = MarkdownFolder(tmp_path, "")
    folder.put(entry("a"))
    assert folder.unseen() == [tmp_path / "batch" / "b.md"]
    assert len(MarkdownFolder(tmp_path).unseen()) == 3


def test_what_is_no_entry_is_left_alone(tmp_path: Path) -> None:
    """Another text in the place of an entry stays; broken front matter stops before anything."""
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "a.md").write_text("# How we work\n")
    put(tmp_path, entry("a"))
    assert shapes(tmp_path) == ["batch/a.md", "batch/a~#.md"]
    (tmp_path / "batch" / "b.md").write_text("---\ntitle: [\n---\n")
    with pytest.raises(SourceUnreadable, match=r"batch/b.md:3: .* Mend or remove it"):
        MarkdownFolder(tmp_path)
