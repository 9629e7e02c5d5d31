"""Lets the load run while it is open; shut, it waits until every request has had its end."""

import threading


class Gate:
    """Threads `enter` before a piece of work and `leave` after it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self._ended = False
        self._busy = 0

    def enter(self) -> bool:
        """Wait until the gate is open; False once the storm is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._ended)
            if self._ended:
                return False
            self._busy += 1
            return True

    def leave(self) -> None:
        """The piece of work has ended."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def open(self) -> None:
        """Let work begin."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def shut(self, timeout: float) -> bool:
        """Let no new work begin; whether all that had begun ended within `timeout` seconds."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: self._busy == 0, timeout)

    def end(self) -> None:
        """The storm is over."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
