"""One process that keeps the servers and our own processes running, and stops them in order."""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.process import kill_group
from deploy.server import Server
from deploy.wake import Wake
from deploy.watch import NEVER, Child, ChildRunner, Report, Watch

__all__ = ["Child", "Supervisor"]

GRACE = 30.0
"""Seconds in which our own processes may finish what they do."""

SERVER_PAUSE = 0.005


class Supervisor:
    """Runs servers, and beside them the processes that use them.

    servers: in order of importance; they are stopped in reverse order
    spare:   servers that nobody waits for: kept running like the children, missed if they fail
    report:  called with each piece of news, one sentence or a few lines; nothing is printed here
    grace:   seconds between asking the children to stop and killing them
    """

    def __init__(
        self,
        data: Path,
        servers: Sequence[Server],
        *,
        report: Report,
        spare: Sequence[Server] = (),
        grace: float = GRACE,
    ) -> None:
        self._data = data
        self._servers = servers
        self._spare = spare
        self._report = report
        self._grace = grace

    def run(
        self,
        children: Callable[[], Sequence[Child]],
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Start everything, keep it running, return when SIGINT, SIGTERM or SIGHUP has stopped it.

        Call it in the main thread, holding the folder's `DataLock`. `children` is called once the
        servers answer: the place to migrate the database; a request to stop waits for it.
        `on_ready` is called once, when everything is ready for the first time.

        What dies is started again after 0.1 s, doubling to 10 s, from the beginning after 30 s of
        life. When a server dies the children stay: they reconnect.

        Raises: what a server's `start` or `children` raises; everything is stopped then.
        """
        watches: list[Watch] = []
        with Wake() as wake, contextlib.ExitStack() as stops:
            for server in (*self._servers, *self._spare):
                stops.callback(server.stop)
            stops.callback(self._stop_children, wake, watches)
            spare = [Watch(server, self._report) for server in self._spare]
            for watch in spare:
                watch.look()  # it begins beside the others
            if self._start_servers(wake):
                runners = [ChildRunner(child, self._data) for child in children()]
                watches += [Watch(runner, self._report) for runner in runners]
                self._keep(wake, watches, spare, on_ready)

    def _start_servers(self, wake: Wake) -> bool:
        """Start them side by side; False when someone asked to stop meanwhile."""
        # The last first: a new database blocks for a moment in which the others get ready.
        for server in reversed(self._servers):
            server.begin()
        waiting = list(self._servers)
        while waiting and not wake.stopping:
            waiting = [server for server in waiting if not server.ready()]
            if waiting:
                wake.wait(SERVER_PAUSE)
        return not wake.stopping

    def _keep(
        self,
        wake: Wake,
        watches: list[Watch],
        spare: list[Watch],
        on_ready: Callable[[], None],
    ) -> None:
        servers = [Watch(server, self._report, settled=True) for server in self._servers]
        needed = servers + watches
        announced = False
        while not wake.stopping:
            pause = min((watch.look() for watch in needed + spare), default=NEVER)
            if not announced and all(watch.settled for watch in needed):
                announced = True
                on_ready()
            wake.wait(pause)

    def _stop_children(self, wake: Wake, watches: list[Watch]) -> None:
        """SIGTERM to all at once; SIGKILL after the grace, or when asked to stop again."""
        processes = [watch.runner.process for watch in watches]
        running = [process for process in processes if process and process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while running and not wake.hurried and (rest := deadline - time.monotonic()) > 0:
            wake.wait(rest)
            running = [process for process in running if process.poll() is None]
        for process in filter(None, processes):
            kill_group(process)  # also what a child that ended has left behind
            process.wait()
        for process in running:
            self._report(f"pid {process.pid} didn't stop in time and was killed.")
