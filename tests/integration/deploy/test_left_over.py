"""Our own processes that a killed supervisor left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.process import kill_group
from deploy.watch import Child, ChildRunner
from tests.support.waiting import SOON

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def _begin(data: Path) -> int:
    """Start the child as the next supervisor would, and end it; the pid that it had."""
    runner = ChildRunner(Child("sleeper", SLEEPER, dict(os.environ)), data)
    runner.begin()
    assert runner.process is not None
    kill_group(runner.process)
    runner.process.wait()
    return runner.process.pid


def test_a_left_over_child_is_ended(short: Path) -> None:
    """One that still runs when the next supervisor starts its like is ended first."""
    with subprocess.Popen(SLEEPER) as left:
        _begin(short)
        (short / "pids" / "sleeper.pid").write_text(f"{left.pid}\n")
        pid = _begin(short)
        assert left.wait(SOON) == -signal.SIGTERM
    assert (short / "pids" / "sleeper.pid").read_text() == f"{pid}\n"


def test_someone_else_is_left_alone(short: Path) -> None:
    """A pid that now belongs to another program means nothing."""
    other = [sys.executable, "-c", "import time; time.sleep(601)"]
    with subprocess.Popen(other) as stranger:
        _begin(short)
        (short / "pids" / "sleeper.pid").write_text(f"{stranger.pid}\n")
        _begin(short)
        assert stranger.poll() is None
        stranger.kill()
