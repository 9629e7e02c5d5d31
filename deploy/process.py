"""Child processes that die with the process that started them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy import launch, logs


@dataclass(frozen=True)
class Identity:
    """As whom a child runs; the default is as ourselves.

    namespace: uid to be inside a new user namespace (Linux); outside it stays who we are.
    account:   (uid, gid) to become; only root can.
    """

    namespace: int | None = None
    account: tuple[int, int] | None = None


OURSELVES = Identity()


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    death_signal: signal.Signals,
    identity: Identity = OURSELVES,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, with its output appended to `log`.

    On Linux the kernel sends it `death_signal` when we die, however we die. Only the main thread
    may call this: the kernel means the THREAD that started the child, so one started elsewhere
    would be stopped as soon as that thread ends. macOS has no such signal: there, the next start
    finds and ends what was left behind.

    A program that can't be run shows as exit code 127 and a line in the log, a refused identity
    as 125. Its own session keeps a Ctrl-C in the terminal from reaching it beside its supervisor.

    Raises: RuntimeError outside the main thread; OSError when the log can't be opened.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "Start children from the main thread: on Linux they receive their death signal when "
            "the thread that started them ends."
        )
    program = shutil.which(argv[0], path=env.get("PATH")) or argv[0]
    with logs.appending(log) as output:
        return subprocess.Popen(
            [*_launcher(death_signal, identity), program, *argv[1:]],
            env=dict(env),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def allowed(identity: Identity) -> bool:
    """Whether a child may take this identity here (tried in a child that ends at once)."""
    done = subprocess.run(
        _launcher(signal.SIGTERM, identity),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def stop(process: subprocess.Popen[bytes], number: signal.Signals, timeout: float) -> bool:
    """Send `number`, wait up to `timeout` seconds, then SIGKILL what is left of its group.

    Returns whether it ended by itself. A process that has ended already counts as such.
    """
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        kill_group(process)
        process.wait()
        return False
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a child and the processes of its session's first group, as far as they exist."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left there
        os.killpg(process.pid, signal.SIGKILL)


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """`exit code 1`, or `SIGKILL`; for one that has ended."""
    code = process.returncode
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return f"signal {-code}"


def _launcher(death_signal: signal.Signals, identity: Identity) -> list[str]:
    mapped = "-" if identity.namespace is None else str(identity.namespace)
    account = "-" if identity.account is None else "{}:{}".format(*identity.account)
    # -I -S: without site-packages and PYTHON* settings it starts in a few milliseconds.
    python = [sys.executable, "-I", "-S", launch.__file__]
    return [*python, str(os.getpid()), str(int(death_signal)), mapped, account, "--"]
