"""What the two embedded servers have in common: begin, become ready, stop."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from deploy import logs, process
from deploy.errors import ServerNotStarted
from deploy.folder import DataFolder
from deploy.process import Identity

START_LIMIT = 300.0
"""Seconds. A server that dies is noticed at once; this bounds one that hangs, and leaves room for
the replay of a long log after a crash, which would begin anew if it were cut short."""

STOP_LIMIT = 60.0
"""Seconds until a stopping server is killed; nothing committed is lost then, a start is slower."""

LITTLE_SPACE = 64 * 1024 * 1024
"""Bytes on the disk below which a failed start is put down to it."""


class Server(ABC):
    """A server in the data folder. Hold its `DataLock` while you run one.

    Call `begin` and `ready` (or `start`, which is both) from the main thread only.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    error: ClassVar[type[ServerNotStarted]]
    #: Seconds until it is killed when it is asked to stop.
    stop_limit: ClassVar[float] = STOP_LIMIT

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder(data)
        self.process: subprocess.Popen[bytes] | None = None
        self._log = self.folder.log(self.name)
        self._log_start = 0
        self._began = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder.path)!r}, pid={self.pid})"

    @property
    @abstractmethod
    def url(self) -> str:
        """How clients connect."""

    @property
    def pid(self) -> int | None:
        """Of the running server, None when it isn't running."""
        running = self.process is not None and self.process.poll() is None
        return self.process.pid if self.process and running else None

    def start(self) -> None:
        """Bring the server up on a new or an existing folder; it answers when this returns.

        Does nothing when it runs already. Whatever an earlier run left behind is ended first.

        Raises: ServerBinaryMissing, DataFolderUnwritable, PostgresNotStarted, RedisNotStarted.
        """
        self.begin()
        while not self.ready():
            time.sleep(0.005)

    def begin(self) -> None:
        """The first half of `start`: create what is missing and start the process."""
        if self.pid is not None:
            return
        with self.folder.writing():
            self.folder.create()
            self._log_start = logs.size(self._log)
            argv, identity = self._prepare()
            self._began = time.monotonic()
            self.process = self._spawn(argv, identity)

    def ready(self) -> bool:
        """The second half of `start`, without waiting: whether the server answers now.

        Raises: PostgresNotStarted, RedisNotStarted when it ended, or took longer than START_LIMIT.
        """
        if self.process is None:
            return False
        if self.process.poll() is not None:
            ended = process.how_it_ended(self.process)
            raise self._failure(f"{self.name} ended while it was starting ({ended}).")
        if self._answers():
            return True
        if time.monotonic() > self._began + START_LIMIT:
            self.stop()
            raise self._failure(f"{self.name} didn't answer within {START_LIMIT:.0f} s.")
        return False

    def stop(self) -> None:
        """End the server in good order, within `stop_limit` s; does nothing when it's down."""
        if self.process is not None:
            process.stop(self.process, self.stop_signal, self.stop_limit)
            self.process = None

    @abstractmethod
    def _prepare(self) -> tuple[list[str], Identity]:
        """Make everything ready for a start; the command and as whom to run it."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether a client would be served now."""

    def _spawn(
        self, argv: list[str], identity: Identity, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        return process.spawn(
            argv,
            env=_environment(),
            log=self._log,
            death_signal=self.stop_signal,
            identity=identity,
            stdin=stdin,
        )

    def _failure(self, happened: str, kept: str = "") -> ServerNotStarted:
        tail = logs.tail(self._log, self._log_start)
        return self.error(
            happened,
            kept=kept or "The data was kept as it was.",
            advice=self._advice(tail),
            log=self._log,
            tail=tail,
        )

    def _advice(self, tail: str) -> str:
        free = self.folder.free()
        if free < LITTLE_SPACE or "No space left" in tail:
            megabytes = free // (1024 * 1024)
            return f"The disk has {megabytes} MB left: free some space, then start again."
        if "ermission denied" in tail:
            return (
                "The account that runs it must reach the data folder and the executable: look at "
                "the permissions of their parent folders, or choose other places for them."
            )
        return "Put right what the log names, then start again."


def _environment() -> dict[str, str]:
    """Ours, without what would change a server's settings behind our back."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "NOTIFY_SOCKET"}
    # A locale that exists: macOS has no C.UTF-8. A given time zone saves initdb the search.
    return {**kept, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C", "TZ": "UTC"}
