"""Files that go to another folder, also where that is on another disk."""

import errno
import os
from pathlib import Path

import pytest

from pipelines.looks import itself
from pipelines.moves import fitted, free, longest, move


@pytest.fixture
def another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder into which nothing can be renamed from outside it."""
    place, rename = tmp_path / "done", Path.rename
    place.mkdir()

    def renamed(path: Path, target: Path) -> Path:
        if (path.parent == place) != (target.parent == place):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    return place


def test_to_another_disk_a_file_is_copied(tmp_path: Path, another_disk: Path) -> None:
    """With its time; a link as a link; nothing else is left in either folder."""
    file, link = tmp_path / "a.csv", tmp_path / "link.csv"
    file.write_text("title\n")
    os.utime(file, (1, 1))
    link.symlink_to("../a.csv")
    for path in (file, link):
        assert move(path, another_disk / path.name, itself(path))
    assert [path.name for path in tmp_path.iterdir()] == ["done"]
    assert sorted(path.name for path in another_disk.iterdir()) == ["a.csv", "link.csv"]
    assert (another_disk / "a.csv").read_text() == "title\n"
    assert (another_disk / "a.csv").stat().st_mtime == 1
    assert os.readlink(another_disk / "link.csv") == "../a.csv"  # noqa: PTH115  # as it is written


def test_one_that_is_replaced_while_it_is_copied_stays(tmp_path: Path, another_disk: Path) -> None:
    """Its copy is of another file: that goes."""
    file = tmp_path / "a.csv"
    file.write_text("title\n")
    own = itself(file)
    (tmp_path / "new").write_text("title\nnewer\n")
    (tmp_path / "new").replace(file)
    assert not move(file, another_disk / "a.csv", own)
    assert file.read_text() == "title\nnewer\n"
    assert not list(another_disk.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "done"]


def test_a_copy_that_breaks_off_leaves_nothing(
    tmp_path: Path, another_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is where it was."""
    file = tmp_path / "a.csv"
    file.write_text("title\n")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        move(file, another_disk / "a.csv", itself(file))
    assert file.read_text() == "title\n"
    assert not list(another_disk.iterdir())


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("n" * 300 + ".ndjson", ".ndjson"),
        ("ä" * 200 + ".csv.gz", ".csv.gz"),
        ("a." + "b" * 300 + ".csv", ".csv"),
        (os.fsdecode(b"\xe9" * 300 + b".csv"), ".csv"),
    ],
)
def test_a_name_that_is_too_long_is_cut(name: str, end: str) -> None:
    """It has a digest, which tells it from others, and its extension."""
    short = fitted(name, 100)
    assert 97 < len(os.fsencode(short)) <= 100
    assert short.startswith(name[:2]) and short.endswith(end)
    assert short == fitted(name, 100) != fitted("m" + name[1:], 100)
    assert fitted("short.csv", 9) == "short.csv"


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    """Also a long one, and of a link that leads nowhere."""
    for name in ("a.csv", "n" * 250 + ".csv"):
        first = free(tmp_path, name, 8)
        first.symlink_to("nowhere")
        second = free(tmp_path, name, 8)
        assert second.name.startswith("2.") and second != first
        assert len(os.fsencode(second.name)) <= longest(tmp_path) - 8
