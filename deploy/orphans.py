"""What outlived its supervisor: found by what it runs and where, never by pid alone."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

PROC = Path("/proc")
POSTGRES = ("postgres",)
STOP_LIMIT = 30.0
"""Seconds for an orphan to end before it's killed."""


def read_pid(file: Path) -> int | None:
    """The pid on a pid file's first line, None when there is no file or no pid in it."""
    try:
        pid = abs(int(file.read_bytes().partition(b"\n")[0]))  # a lone backend's is negative
    except (OSError, ValueError):
        return None
    return pid if 0 < pid < 2**31 else None


def alive(pid: int) -> bool:
    """Whether a process has this pid; one that ended and wasn't waited for still has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def serves(pid: int, programs: Collection[str], folder: Path) -> bool:
    """Whether this process runs one of `programs` in `folder` (which our servers chdir to)."""
    if sys.platform != "linux":
        return _listed(pid, programs, folder)
    try:
        if (PROC / f"{pid}/comm").read_text().rstrip("\n") not in programs:
            return False
        try:
            return (PROC / f"{pid}/cwd").readlink() == folder
        except PermissionError:  # another account's: its arguments can be read by everyone
            arguments = (PROC / f"{pid}/cmdline").read_bytes().split(b"\0")
            return os.fsencode(folder) in arguments
    except OSError:
        return False


def all_in(folder: Path, programs: Collection[str]) -> list[int]:
    """Every process that runs one of `programs` in `folder`. Linux only; elsewhere none."""
    if sys.platform != "linux":
        return []
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if serves(pid, programs, folder)]


def end(pid: int, number: signal.Signals, timeout: float) -> None:
    """Send `number` to a process that isn't our child, wait, and SIGKILL it after `timeout` s."""
    for attempt in (number, signal.SIGKILL):
        try:
            os.kill(pid, attempt)
        except ProcessLookupError:
            return
        if _gone(pid, timeout):
            return


def end_postgres(cluster: Path, sockets: Path) -> None:
    """End what still runs on a cluster, and remove pid files that would block its start.

    A server whose supervisor was killed is stopped in good order. One that was killed itself may
    leave busy backends behind, which would keep the next one from starting. A stale pid file
    whose pid now belongs to someone else, or that a full disk left empty, would do so for ever.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return  # the last one ended in good order
    pid = read_pid(pid_file)
    if pid and serves(pid, POSTGRES, cluster):
        end(pid, signal.SIGINT, STOP_LIMIT)
    for backend in all_in(cluster, POSTGRES):
        end(backend, signal.SIGKILL, STOP_LIMIT)
    if pid is None or alive(pid):
        for stale in (pid_file, *sockets.glob(".s.PGSQL.*.lock")):
            stale.unlink(missing_ok=True)


def end_child(pid_file: Path, argv: Sequence[str]) -> None:
    """End a process of ours that a killed supervisor left: an index has one writer.

    On Linux it was told to end when the supervisor died, and may still finish what it does.
    """
    pid = read_pid(pid_file)
    if pid is not None and pid != os.getpid() and _runs(pid, argv):
        end(pid, signal.SIGTERM, STOP_LIMIT)


def _runs(pid: int, argv: Sequence[str]) -> bool:
    """Whether a process runs this command, be it still behind its launcher."""
    if sys.platform != "linux":
        command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return shown.strip().endswith(" ".join(argv[1:]))
    try:
        shown_parts = (PROC / f"{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return False
    return shown_parts[1 - len(argv) :] == [os.fsencode(part) for part in argv[1:]]


def _gone(pid: int, timeout: float) -> bool:
    """Wait for the end of a process that isn't our child; False when it's still there."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # a kernel or a sandbox without it: look again and again
        else:
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                return bool(poll.poll(timeout * 1000))
            finally:
                os.close(descriptor)
    deadline = time.monotonic() + timeout
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _listed(pid: int, programs: Collection[str], folder: Path) -> bool:
    """As `serves`, from `ps`: the working folder isn't known there, the arguments are."""

    def field(name: str) -> str:
        command = ["ps", "-ww", "-o", f"{name}=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return Path(field("comm")).name in programs and f" {folder} " in f"{field('command')} "
