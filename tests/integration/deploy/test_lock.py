"""One Casebook per data folder, and whoever comes second learns who was first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import DataFolderLocked, DataFolderUnwritable
from deploy.lock import DataLock, holder
from tests.integration.deploy.deploy_helpers import LIMIT, Program

HOLD = """
import sys
from pathlib import Path
from deploy.lock import DataLock
with DataLock(Path(sys.argv[1])) as lock:
    lock.announce("http://127.0.0.1:8080")
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(data: Path) -> "subprocess.Popen[str]":
    """Another process that holds the lock; returns once it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_about_the_first(data: Path) -> None:
    """The error names pid, time, address and the way out; a freed lock can be taken."""
    with hold(data) as other:
        with pytest.raises(DataFolderLocked) as raised:
            DataLock(data).acquire()
        assert raised.value.code == "DATA_FOLDER_LOCKED"
        for part in (
            f"pid {other.pid} since 20",
            "http://127.0.0.1:8080",
            "`casebook down --data ",
        ):
            assert part in str(raised.value)
        found = holder(data)
        assert found and (found.pid, found.url) == (other.pid, "http://127.0.0.1:8080")
        other.communicate("", LIMIT)
    assert holder(data) is None
    with DataLock(data):
        assert holder(data)


def test_a_killed_holder_holds_nothing(data: Path) -> None:
    """The kernel frees the lock with the process; what it wrote there no longer counts."""
    with hold(data) as other:
        other.kill()
        other.wait(LIMIT)
    assert "8080" in (data / "lock").read_text()
    assert holder(data) is None
    with DataLock(data):
        pass


def test_the_lock_is_not_handed_to_children(data: Path) -> None:
    """A child that outlives us must not keep the next start out."""
    lock = DataLock(data)
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lock.release()
        with DataLock(data):
            pass
        child.communicate(b"\n", LIMIT)


def test_a_second_start_leaves_the_first_alone(data: Path) -> None:
    """`up` on a folder in use fails with a message, and the first one goes on."""
    with Program("up.py", data) as first:
        first.wait_for("up postgres=")
        with Program("up.py", data) as second:
            assert second.end() == 1
            assert f"held by pid {first.process.pid}" in "\n".join(second.seen)
        assert first.process.poll() is None


def test_a_folder_that_cannot_be(short: Path) -> None:
    """A file where the folder should be is a typed error with a way out."""
    (short / "file").write_text("")
    with pytest.raises(DataFolderUnwritable, match="choose another folder") as raised:
        DataLock(short / "file" / "data").acquire()
    assert raised.value.code == "DATA_FOLDER_UNWRITABLE"
