"""The folder that files are put into: what is taken, once, and where it goes."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from contracts.errors import FolderWatched
from pipelines.formats.paths import JOURNAL, told
from pipelines.inbox import ANEW, Inbox
from pipelines.looks import look_at

SETTLE = 2.0


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """An empty one."""
    with closing(Inbox(tmp_path, settle=SETTLE)) as inbox:
        yield inbox


def names(inbox: Inbox, now: float) -> list[str]:
    """What is ready then."""
    return [path.name for path in inbox.ready(now)[0]]


def imported(inbox: Inbox, name: str, error: dict[str, str] | None = None) -> bool:
    """Take it and put it away."""
    path = inbox.folder / name
    look = look_at(path)
    assert look is not None
    if inbox.take(path, look) is None:
        return False
    inbox.begun(path, uuid4())
    return inbox.put_away(path, look, error)


def test_a_file_is_taken_when_it_has_settled(inbox: Inbox) -> None:
    """Each change begins the wait anew; hidden files and strange ones are passed over."""
    file = inbox.folder / "a.csv"
    file.write_text("title\n")
    for other in (".b.csv", "c.part", "d.csv.tmp"):
        (inbox.folder / other).write_text("title\n")
    assert inbox.ready(10.0) == ([], 12.0)
    assert names(inbox, 11.9) == []
    file.write_text("title\ngrown\n")
    assert names(inbox, 12.0) == []
    assert names(inbox, 13.9) == []
    assert names(inbox, 14.0) == ["a.csv"]


ODD = os.fsdecode(b"caf\xe9.csv")  # as an old server has called it


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of others take no such name")
@pytest.mark.parametrize("name", [ODD, "café.csv"])
def test_a_name_that_is_no_utf_8_is_remembered(tmp_path: Path, name: str) -> None:
    """In a journal that is JSON, for the process that comes next."""
    (tmp_path / name).write_text("title\n")
    for takes in (True, False):
        with closing(Inbox(tmp_path, settle=0.0, keep=True)) as inbox:
            inbox.ready(0.0)
            assert names(inbox, 1.0) == ([name] if takes else [])
            if takes:
                assert imported(inbox, name)
    assert list(orjson.loads((tmp_path / JOURNAL).read_bytes())) == [told(name)]


def test_files_go_away_when_they_are_done(inbox: Inbox) -> None:
    """To done/ or failed/, never over another of the same name; the journal forgets them."""
    for _ in range(2):
        (inbox.folder / "a.csv").write_text("title\n")
        assert imported(inbox, "a.csv")
    (inbox.folder / "a.csv").write_text("title\n")
    inbox.staged(inbox.folder / "a.csv").write_text("rejected")
    assert imported(inbox, "a.csv", {"code": "BAD"})
    found = {str(p.relative_to(inbox.folder)) for p in inbox.folder.rglob("*") if p.is_file()}
    assert found == {
        ".casebook.json",
        ".casebook.lock",
        "done/a.csv",
        "done/2.a.csv",
        "failed/a.csv",
        "failed/a.csv.error",
        "failed/a.csv.rejects",
    }
    assert (inbox.folder / JOURNAL).read_bytes() == b"{}"


def test_a_file_that_changed_while_it_was_imported_stays(inbox: Inbox) -> None:
    """It is taken again, as one that nothing is known of."""
    file = inbox.folder / "a.csv"
    file.write_text("title\n")
    look = look_at(file)
    assert look is not None
    inbox.take(file, look)
    other = inbox.folder / ".new"
    other.write_text("title\n")
    other.replace(file)
    assert not inbox.put_away(file, look, None)
    assert file.exists()
    names(inbox, 0.0)
    assert names(inbox, SETTLE) == ["a.csv"]


def test_a_link_is_put_away_as_it_is(tmp_path: Path) -> None:
    """Relative or not, once, beside another of its name that leads nowhere from there."""
    inbox_folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere.csv"
    inbox_folder.mkdir()
    elsewhere.write_text("title\n")
    with closing(Inbox(inbox_folder, settle=0)) as inbox:
        for leads_to in ("../elsewhere.csv", "../elsewhere.csv", elsewhere):
            (inbox.folder / "link.csv").symlink_to(leads_to)
            assert imported(inbox, "link.csv")
            names(inbox, 0.0)
            assert names(inbox, 1.0) == []
        done = sorted((inbox.folder / "done").iterdir())
        assert [path.name for path in done] == ["2.link.csv", "3.link.csv", "link.csv"]
        assert all(path.is_symlink() for path in done)


def test_a_file_that_is_replaced_as_it_is_moved_stays(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back and is taken again."""
    file, other = inbox.folder / "a.csv", inbox.folder / ".new"
    file.write_text("title\n")
    other.write_text("title\nnewer\n")
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        monkeypatch.undo()
        other.replace(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert not imported(inbox, "a.csv")
    assert file.read_text() == "title\nnewer\n"
    names(inbox, 0.0)
    assert names(inbox, SETTLE) == ["a.csv"]


def test_kept_files_are_imported_once(tmp_path: Path) -> None:
    """Also by the next process, and when only touched; changed, they are imported again."""
    file = tmp_path / "a.csv"
    file.write_text("title\n")
    with closing(Inbox(tmp_path, settle=0, keep=True)) as inbox:
        names(inbox, 0.0)
        assert names(inbox, 1.0) == ["a.csv"]
        assert imported(inbox, "a.csv")
        assert names(inbox, 2.0) == []
    with closing(Inbox(tmp_path, settle=0, keep=True)) as inbox:
        names(inbox, 0.0)
        assert names(inbox, 1.0) == []
        file.touch()
        names(inbox, 2.0)
        assert names(inbox, 3.0) == ["a.csv"]
        assert not imported(inbox, "a.csv")
        assert names(inbox, 4.0) == []
        file.write_text("title\nmore\n")
        names(inbox, 5.0)
        assert names(inbox, 6.0) == ["a.csv"]
        assert imported(inbox, "a.csv")


def test_whoever_comes_after_a_crash_knows_the_import(tmp_path: Path) -> None:
    """Of the same bytes; another file under the name is imported anew."""
    file, import_id = tmp_path / "a.csv", uuid4()
    file.write_text("title\n")
    look = look_at(file)
    assert look is not None
    with closing(Inbox(tmp_path, settle=0)) as inbox:
        inbox.take(file, look)
        inbox.begun(file, import_id)
    with closing(Inbox(tmp_path, settle=0)) as inbox:
        known = inbox.take(file, look)
        assert known is not None and known.import_id == import_id
        file.write_text("another\n")
        look = look_at(file)
        assert look is not None
        for _ in range(2):  # until another has begun
            known = inbox.take(file, look)
            assert known is not None
            assert (known.import_id, known.former) == (None, import_id)
        inbox.begun(file, uuid4())
        known = inbox.take(file, look)
        assert known is not None and known.former is None


def test_a_folder_has_one_importer(inbox: Inbox) -> None:
    """The second is refused; a journal that can't be read only costs an import of nothing new."""
    with pytest.raises(FolderWatched):
        Inbox(inbox.folder, settle=0)
    inbox.close()
    (inbox.folder / JOURNAL).write_text("{broken")
    Inbox(inbox.folder, settle=0).close()


def test_what_was_beside_a_file_that_stays_is_of_its_last_state(tmp_path: Path) -> None:
    """Mended and imported, it leaves neither error nor rejects; another one's are left alone."""
    file, failed = tmp_path / "a.csv", tmp_path / "failed"
    with closing(Inbox(tmp_path, settle=0, keep=True)) as inbox:
        file.write_text("title\nno\n")
        inbox.staged(file).write_text("rejected")
        assert imported(inbox, "a.csv", {"code": "BAD"})
        assert sorted(path.name for path in failed.iterdir()) == ["a.csv.error", "a.csv.rejects"]
        file.write_text("title\ncut")
        assert imported(inbox, "a.csv", {"code": "CUT"})
        assert [path.name for path in failed.iterdir()] == ["a.csv.error"]
        (failed / "b.csv").touch()  # moved there without --keep
        (failed / "b.csv.error").touch()
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_text("title\nmended\n")
            assert imported(inbox, name)
        assert sorted(path.name for path in failed.iterdir()) == ["b.csv", "b.csv.error"]


def test_what_could_not_be_put_away_goes_when_it_can(inbox: Inbox) -> None:
    """It is tried now and then; until then it is not ready, and what lies beside it waits too."""
    file, failed = inbox.folder / "a.csv", inbox.folder / "failed"
    file.write_text("title\n")
    failed.write_text("no folder")
    inbox.carry_on(0.0)
    inbox.staged(file).write_text("rejected")
    assert imported(inbox, "a.csv", {"code": "BAD"})
    assert inbox.stuck["a.csv"].message == "a.csv can't be moved to failed: File exists."
    names(inbox, 1.0)
    assert names(inbox, 1.0 + SETTLE) == []
    failed.unlink()
    inbox.carry_on(ANEW - 1)
    assert list(inbox.stuck) == ["a.csv"]
    inbox.carry_on(ANEW)
    assert not inbox.stuck and not file.exists()
    found = sorted(path.name for path in failed.iterdir())
    assert found == ["a.csv", "a.csv.error", "a.csv.rejects"]
