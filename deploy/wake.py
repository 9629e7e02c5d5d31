"""Sleeping without CPU until a child ends, someone asks to stop, or a time comes."""

import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

IMPATIENCE = 1.0
"""Seconds after which another request to stop is meant as "now", and isn't an echo of the first:
some launchers pass a Ctrl-C on that the terminal has already sent to everyone."""


class Wake:
    """While entered, in the main thread, signals wake `wait` instead of ending the process.

    stopping: someone asked us to stop
    hurried:  and then asked again
    """

    def __init__(self) -> None:
        self.stopping = False
        self.hurried = False
        self._asked = 0.0
        self._pipe = (-1, -1)
        self._former_descriptor = -1
        self._former: dict[signal.Signals, Any] = {}

    def wait(self, timeout: float) -> None:
        """Return at the next signal, or after `timeout` seconds (may be infinite)."""
        limit = None if timeout == float("inf") else max(timeout, 0.0)
        if select.select([self._pipe[0]], [], [], limit)[0]:
            os.read(self._pipe[0], 4096)

    def __enter__(self) -> Self:
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        # The C level writes to the pipe, so no signal is lost between a check and a `wait`.
        self._former_descriptor = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in (*STOPS, signal.SIGCHLD):
            ignored = signal.getsignal(number) is signal.SIG_IGN
            if number is signal.SIGHUP and ignored:
                continue  # `nohup`
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_descriptor)
        for end in self._pipe:
            os.close(end)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        now = time.monotonic()
        if self.stopping and now > self._asked + IMPATIENCE:
            self.hurried = True
        elif not self.stopping:
            self.stopping, self._asked = True, now
