"""Child processes: bound to their parent's life, logged, stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import logs
from deploy.process import OURSELVES, Identity, allowed, how_it_ended, kill_group, spawn, stop
from tests.integration.deploy.deploy_helpers import Program, wait_until_gone

ENV = {"PATH": os.environ["PATH"]}


def run(code: str, log: Path) -> "subprocess.Popen[bytes]":
    """A child that runs Python code."""
    return spawn([sys.executable, "-uc", code], env=ENV, log=log, death_signal=signal.SIGTERM)


def test_output_is_appended(short: Path) -> None:
    """Both outputs go to the log, after what is there; the exit code comes through."""
    log = short / "logs" / "child.log"
    for word in ("first", "second"):
        child = run(f"import sys; print('{word}', file=sys.stderr); sys.exit(3)", log)
        assert child.wait(30) == 3
    assert log.read_text() == "first\nsecond\n"
    assert how_it_ended(child) == "exit code 3"


def test_a_large_log_is_moved_aside(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log over its limit begins anew at a start, and one former file is kept."""
    monkeypatch.setattr(logs, "LIMIT", 10)
    log = short / "child.log"
    log.write_text("more than ten bytes\n")
    run("print('new')", log).wait(30)
    assert log.read_text() == "new\n"
    assert log.with_name("child.log.1").read_text() == "more than ten bytes\n"


def test_a_program_that_is_not_there(short: Path) -> None:
    """A missing program is exit code 127 and a line in the log, as in a shell."""
    log = short / "child.log"
    child = spawn(["/no/such/program"], env=ENV, log=log, death_signal=signal.SIGTERM)
    assert child.wait(30) == 127
    assert "/no/such/program could not be run: No such file" in log.read_text()


def test_a_child_has_a_session_of_its_own(short: Path) -> None:
    """Ctrl-C in the terminal reaches the supervisor only."""
    child = run("input()" if sys.stdin is None else "import time; time.sleep(60)", short / "log")
    try:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        kill_group(child)
        child.wait(30)


def test_a_deaf_child_is_killed_with_its_group(short: Path) -> None:
    """What ignores its signal is killed after the time-out, and so is what it started."""
    log = short / "child.log"
    fifo = short / "fifo"
    os.mkfifo(fifo)
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork();"
        f"open({str(fifo)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    )
    child = run(code, log)
    pids: list[int] = []
    while len(pids) < 2:
        pids += map(int, fifo.read_text().split())
    assert not stop(child, signal.SIGTERM, 0.1)
    assert how_it_ended(child) == "SIGKILL"
    wait_until_gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")
def test_a_child_dies_with_its_parent(data: Path) -> None:
    """SIGKILL for the supervisor ends the servers and its own children, in good order."""
    with Program("up.py", data, "import time; time.sleep(600)") as up:
        line = up.wait_for("up postgres=")
        pids = [int(part.partition("=")[2]) for part in line.split()[1:]]
        pids += children_of(up.process.pid)
        assert len(set(pids)) == 4
        up.kill()
        wait_until_gone(pids)
    assert not (data / "postgres" / "postmaster.pid").exists()
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")
@pytest.mark.parametrize(
    "identity", [OURSELVES, Identity(namespace=65534), Identity(account=(65534, 65534))]
)
def test_a_child_of_any_identity_dies_with_its_parent(short: Path, identity: Identity) -> None:
    """The kernel forgets the death signal when credentials change, so it's set after that."""
    if not allowed(identity):
        pytest.skip("this identity is refused here")
    with Program("parent.py", short / "log", identity.namespace, identity.account) as parent:
        pid = int(parent.wait_for("child").split()[1])
        parent.kill()
        wait_until_gone([pid])


def children_of(pid: int) -> list[int]:
    """The pids of a process's children (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
