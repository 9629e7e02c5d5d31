"""One process that has to run: noticing its end, and starting it again with a growing delay."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy import orphans
from deploy.errors import DeployError
from deploy.folder import DataFolder
from deploy.process import how_it_ended, kill_group, spawn

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
LONG_LIFE = 30.0
"""Seconds of life after which the next delay is the first again."""

READY_PAUSE = 0.02
"""Seconds between two questions whether it's ready."""

NEVER = float("inf")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Child:
    """A process of ours that the supervisor keeps running.

    name:         of its log, DATA/logs/NAME.log, and in reports
    argv, env:    the whole command, the whole environment
    ready:        whether it serves; asked often until it does, so it has to answer at once.
                  An OSError (nobody listens) means no. None: it's ready when it was started
    death_signal: what the kernel sends it when the supervisor is killed (Linux)
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    death_signal: signal.Signals = signal.SIGTERM


class Runner(Protocol):
    """What can be watched: a child of ours, or a server."""

    @property
    def name(self) -> str:
        """In reports."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """None before it was begun."""

    def begin(self) -> None:
        """Start the process; nothing to do when it runs. Raises: DeployError."""

    def ready(self) -> bool:
        """Whether it serves. Raises: DeployError when it ended."""


class ChildRunner:
    """A `Child` and the process that it is at present."""

    def __init__(self, child: Child, data: Path) -> None:
        self.name = child.name
        self.process: subprocess.Popen[bytes] | None = None
        self._child = child
        self._folder = DataFolder(data)
        self._log = self._folder.log(child.name)
        self._pid_file = self._folder.pid_file(child.name)

    def begin(self) -> None:
        """Start it. Raises: DataFolderUnwritable, for its log."""
        if self.process is not None and self.process.poll() is None:
            return
        with self._folder.writing():
            orphans.end_child(self._pid_file, self._child.argv)
            self.process = spawn(
                self._child.argv,
                env=self._child.env,
                log=self._log,
                death_signal=self._child.death_signal,
            )
            self._pid_file.parent.mkdir(mode=0o700, exist_ok=True)
            self._pid_file.write_text(f"{self.process.pid}\n")

    def ready(self) -> bool:
        """Whether it serves. Raises: DeployError when it ended."""
        if self.process is None or self.process.poll() is not None:
            ended = f" ({how_it_ended(self.process)})" if self.process else ""
            raise DeployError(f"{self.name} ended while it was starting{ended}; see {self._log}.")
        try:
            return self._child.ready is None or self._child.ready()
        except OSError:
            return False  # nobody listens yet


class Watch:
    """Keeps one runner running.

    settled: it was started and has said that it's ready
    """

    def __init__(self, runner: Runner, report: Report, *, settled: bool = False) -> None:
        self.runner = runner
        self.settled = settled
        self._report = report
        self._delay = FIRST_DELAY
        self._began = time.monotonic()
        self._due: float | None = None if settled else self._began

    def look(self) -> float:
        """Do what is to be done now; seconds until the next look, NEVER if only its end matters."""
        try:
            if self._due is not None:
                if (rest := self._due - time.monotonic()) > 0:
                    return rest
                self._due = None
                self._began = time.monotonic()
                self.runner.begin()
            return self._check()
        except (DeployError, OSError) as error:
            return self._again(str(error))

    def _check(self) -> float:
        process = self.runner.process
        if process is not None and process.poll() is not None:
            kill_group(process)  # what it started doesn't outlive it
            if self.settled:
                return self._again(f"{self.runner.name} ended ({how_it_ended(process)}).")
        if not self.settled and self.runner.ready():
            self.settled = True
            self._report(f"{self.runner.name} is ready.")
        return NEVER if self.settled else READY_PAUSE

    def _again(self, why: str) -> float:
        if time.monotonic() - self._began >= LONG_LIFE:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        self.settled, self._due = False, time.monotonic() + delay
        self._report(f"{why}\n{self.runner.name} starts again in {delay:g} s.")
        return delay
