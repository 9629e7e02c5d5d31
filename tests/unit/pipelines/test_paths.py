"""Which files an argument names."""

from pathlib import Path

import pytest

from contracts.errors import SourceUnreadable
from pipelines.formats.paths import files_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are known by their extension, and others."""
    for name in ("b.json.gz", "a.csv", "deep/er/c.NDJSON.zst", "deep/d.md", "e.png", "f[1].csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, *arguments: str) -> list[str]:
    """The files that arguments in the folder name, without it."""
    given = files_of(tuple(a if a == "-" else str(folder / a) for a in arguments))
    return [one.removeprefix(f"{folder}/") for one in given]


def test_a_folder_is_what_it_holds(folder: Path) -> None:
    """All depths, sorted, only what has an extension that we know."""
    everything = ["a.csv", "b.json.gz", "deep/d.md", "deep/er/c.NDJSON.zst", "f[1].csv"]
    assert names(folder, ".") == everything or names(folder, "") == everything


def test_what_is_no_source_is_passed_over(folder: Path) -> None:
    """What is hidden, a README, a list of codes, and what was put away by a watch."""
    for name in (".a.csv", ".git/b.csv", "README.md", "deep/codes.tsv", "deep/done/e.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    before = ["a.csv", "b.json.gz", "deep/d.md", "deep/done/e.csv", "deep/er/c.NDJSON.zst"]
    assert names(folder, "") == [*before, "f[1].csv"]
    (folder / "deep" / ".casebook.lock").touch()
    assert names(folder, "deep") == ["deep/d.md", "deep/er/c.NDJSON.zst"]
    assert names(folder, "README.md") == ["README.md"]


def test_an_entry_has_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its external id is folder and name, from wherever it is imported."""
    monkeypatch.chdir(folder / "deep")
    entry = str(folder / "deep" / "d.md")
    assert files_of(("d.md",)) == files_of(("*.md",)) == files_of((".", "../f[[]1].csv"))[:1]
    assert files_of(("d.md",)) == [entry]
    monkeypatch.chdir(folder / "deep" / "er")
    assert files_of(("../d.md",)) == [entry]


def test_patterns_are_expanded(folder: Path) -> None:
    """As a shell would, for those that don't; sorted, whatever the extension."""
    assert names(folder, "*.csv") == ["a.csv", "f[1].csv"]
    assert names(folder, "**/*.md") == ["deep/d.md"]
    assert names(folder, "?.png") == ["e.png"]


def test_a_name_comes_before_a_pattern(folder: Path) -> None:
    """A file whose name looks like a pattern is that file."""
    assert names(folder, "f[1].csv") == ["f[1].csv"]


def test_each_file_is_read_once(folder: Path) -> None:
    """In the order of the arguments, however often it is named; stdin stays."""
    assert names(folder, "b.json.gz", "-", "*.csv", "a.csv") == [
        "b.json.gz",
        "-",
        "a.csv",
        "f[1].csv",
    ]


@pytest.mark.parametrize("argument", ["nowhere", "*.xml", "empty", "e.png/x"])
def test_what_names_nothing_is_an_error(folder: Path, argument: str) -> None:
    """A file that is not there, a pattern without matches, a folder without our files."""
    (folder / "empty").mkdir()
    with pytest.raises(SourceUnreadable):
        names(folder, argument)
