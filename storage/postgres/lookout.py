"""While PostgreSQL is given up, one thread looks whether it is back, so that no caller has to."""

import random
import threading

import psycopg

from storage.breaker import Breaker, State

PAUSE = 0.2, 1.0  # seconds: first and longest between two looks
CONNECT_WITHIN = 5  # seconds


class Lookout:
    """Runs while `breaker` is not closed; closes it as soon as a connection is made."""

    def __init__(self, url: str, breaker: Breaker) -> None:
        self._url = url
        self._breaker = breaker
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._back = threading.Event()
        self._back.set()
        self._ending = threading.Event()

    def begin(self) -> None:
        """The breaker may have opened: look until it is closed."""
        with self._lock:
            if self._thread is None and not self._is_over():
                self._back.clear()
                self._thread = threading.Thread(target=self._look, name="lookout", daemon=True)
                self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Whether PostgreSQL is not given up; waits so long (s) for that."""
        return self._back.wait(timeout)

    def stop(self) -> None:
        """End the thread, within CONNECT_WITHIN; nobody waits for that."""
        self._ending.set()
        self._back.set()

    def _look(self) -> None:
        pause = PAUSE[0]
        while not self._ending.wait(pause * random.uniform(0.5, 1.0)):
            if self._answers():
                self._breaker.close()
            with self._lock:  # `begin` either finds no thread, or one that goes on
                if self._is_over():
                    self._thread = None
                    self._back.set()
                    return
            pause = min(1.5 * pause, PAUSE[1])

    def _is_over(self) -> bool:
        return self._ending.is_set() or self._breaker.state is State.CLOSED

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url, connect_timeout=CONNECT_WITHIN).close()
        except psycopg.Error:
            return False
        return True
