"""Full and read-only disks: a typed error that says so, and nothing lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.deploy.deploy_helpers import Program

# Inside, mounts are ours alone: nothing of the machine changes, and nothing is left behind.
PRIVATE = ["unshare", "--user", "--map-root-user", "--mount", "--"]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `disks.py` told."""
    folder = tmp_path_factory.mktemp("disks")
    probe = [*PRIVATE, "mount", "-t", "tmpfs", "none", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounts in a namespace are refused here")
    with Program("disks.py", folder, before=PRIVATE) as program:
        assert program.end() == 0, program.seen
        return "\n".join(program.seen)


def line(said: str, start: str) -> str:
    """The line about one attempt."""
    return next(text for text in said.splitlines() if text.startswith(start))


def test_a_disk_too_small_for_a_cluster(said: str) -> None:
    """initdb on a full disk: the error names the space, and no half-made cluster is left."""
    assert line(said, "tiny:").startswith("tiny: POSTGRES_NOT_STARTED")
    assert "free some space" in line(said, "tiny:")
    assert line(said, "tiny left:") == "tiny left: ['postgres.secret']"


def test_a_disk_that_filled_up(said: str) -> None:
    """A start on a full disk fails with the reason; with some space the rows are there."""
    for start in ("full:", "full valkey:"):
        assert "free some space" in line(said, start)
        assert "came up" not in line(said, start)
    assert line(said, "freed:") == "freed: came up"
    assert line(said, "kept:") == "kept: (42,)"


def test_a_read_only_disk(said: str) -> None:
    """Whoever comes first says that the folder can't be used, and why."""
    for start in ("read-only:", "read-only valkey:", "read-only lock:"):
        assert f"{start} DATA_FOLDER_UNWRITABLE" in line(said, start)
        assert "Read-only file system" in line(said, start)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_someone_else(short: Path) -> None:
    """Without the right to write, the error says who lacks it."""
    from deploy.errors import DataFolderUnwritable
    from deploy.lock import DataLock

    short.chmod(0o500)
    with pytest.raises(DataFolderUnwritable, match=f"uid {os.geteuid()}"):
        DataLock(short / "data").acquire()
