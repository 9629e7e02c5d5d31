"""A backup's file is whole, or it is refused before anything is touched."""

from pathlib import Path

import pytest

from contracts.errors import BackupDamaged
from deploy import archive
from deploy.archive import Archive
from storage.postgres.snapshot import snapshot


@pytest.fixture
def whole(database_url: str, tmp_path: Path) -> Path:
    """A backup of an empty database."""
    file = tmp_path / "whole.backup"
    with snapshot(database_url) as moment:
        archive.write(file, moment, lambda name, rows: None)
    return file


def test_a_byte_that_changed_anywhere_is_told(whole: Path, tmp_path: Path) -> None:
    """In rows, names, dates, sizes or the seal itself."""
    content, damaged = whole.read_bytes(), tmp_path / "damaged"
    for place in {*range(0, len(content), 17), *range(len(content) - 90, len(content))}:
        changed = content[place] ^ 1
        damaged.write_bytes(content[:place] + bytes([changed]) + content[place + 1 :])
        with pytest.raises(BackupDamaged):
            Archive(damaged)


def test_a_file_that_was_cut_short_is_told(whole: Path, tmp_path: Path) -> None:
    """Also one that holds nothing, or something behind its end."""
    content, damaged = whole.read_bytes(), tmp_path / "damaged"
    for end in {*range(0, len(content), 61), len(content) - 1}:
        damaged.write_bytes(content[:end])
        with pytest.raises(BackupDamaged):
            Archive(damaged)
    damaged.write_bytes(content + b"\n")
    with pytest.raises(BackupDamaged):
        Archive(damaged)


def test_only_its_owner_reads_it_and_nothing_is_overwritten(whole: Path, database_url: str) -> None:
    """It holds all that is known; and the backup that was there may be the better one."""
    assert whole.stat().st_mode & 0o777 == 0o600
    content = whole.read_bytes()
    with snapshot(database_url) as moment, pytest.raises(FileExistsError):
        archive.write(whole, moment, lambda name, rows: None)
    assert whole.read_bytes() == content


def test_a_backup_that_fails_leaves_no_file(database_url: str, tmp_path: Path) -> None:
    """Half a backup that looks like one would be found when it is needed."""

    def fail(table: str, rows: int) -> None:
        raise OSError("the disk is full")

    with snapshot(database_url) as moment, pytest.raises(OSError, match="disk is full"):
        archive.write(tmp_path / "new.backup", moment, fail)
    assert list(tmp_path.iterdir()) == []
