"""Every process shows its families on a port of this host; DATA/metrics/ lists where.

One file a process, held locked while it lives: `worker-0.json` is `{"url": ..., "pid": ...}`.
Its name is the label `process`: the lowest number that is free, so that restarts and deploys make
no new series.
"""

import contextlib
import fcntl
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from actors.metrics.collectors import Build, Circuits
from actors.metrics.meters import Collects, Meters, Named
from storage.breaker import Breakers

log = logging.getLogger(__name__)

FOLDER = "metrics"  # in the data folder
SLOTS = 1000  # processes of one role on a node
PATIENCE = 5.0  # seconds that whoever asks may take to say so


class Slot:
    """The name of a process among those of its role on this node, its own until it ends."""

    def __init__(self, data: Path, role: str) -> None:
        self.name = f"{role}-0"
        self._file: IO[bytes] | None = None
        folder = data / FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim(folder, role)
        except OSError as error:
            log.warning("this process is not listed in %s: %s", folder, error)

    def _claim(self, folder: Path, role: str) -> None:
        for number in range(SLOTS):
            file = os.fdopen(
                os.open(folder / f"{role}-{number}.json", os.O_RDWR | os.O_CREAT, 0o600), "r+b"
            )
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            self.name, self._file = f"{role}-{number}", file
            return

    def announce(self, url: str) -> None:
        """Write down where this process shows what it measures."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(orjson.dumps({"url": url, "pid": os.getpid()}))
            self._file.flush()

    def release(self) -> None:
        """Give the name back."""
        if self._file is not None:
            self._file.close()


class Exporter(threading.Thread):
    """Answers `GET /metrics`, `/circuits` and `/healthz`, one at a time, in one thread.

    `port` 0 is any free one, and so is one that is taken: another process of this node has it.
    """

    def __init__(self, families: Collects, host: str, port: int, breakers: Breakers) -> None:
        super().__init__(name="metrics", daemon=True)
        self._ending = threading.Event()
        application = _application(families, breakers)
        try:
            self._server = _listen(host, port, application)
        except OSError as error:
            if port == 0:
                raise
            log.warning("%s:%d can't be listened on (%s): another is taken", host, port, error)
            self._server = _listen(host, 0, application)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def run(self) -> None:
        while not self._ending.is_set():
            self._server.handle_request()  # blocks until somebody asks
        self._server.server_close()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        with contextlib.suppress(OSError):
            socket.create_connection(self._server.socket.getsockname()[:2], PATIENCE).close()
        self.join(PATIENCE)


def export(
    meters: Meters,
    slot: Slot,
    host: str,
    port: int,
    more: Iterable[Collector] = (),
    breakers: Breakers | None = None,
) -> Exporter:
    """Show `meters`, `more` and `breakers` until the process ends.

    Raises: OSError for a host that is not ours.
    """
    breakers = breakers or Breakers()
    disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs; a third of all lines, and nobody reads them
    for collector in (*more, Circuits(breakers), Build()):
        meters.registry.register(collector)
    ProcessCollector(registry=meters.registry)
    exporter = Exporter(Named(meters.registry, slot.name), host, port, breakers)
    exporter.start()
    slot.announce(exporter.url)
    return exporter


class _Quiet(WSGIRequestHandler):
    """A request that never comes ends after PATIENCE; the others wait behind it."""

    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        log.debug(format, *args)


class _Server(WSGIServer):
    def server_bind(self) -> None:
        """Bind without asking a name server for the host's name, which can take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


def _listen(host: str, port: int, application: Callable[..., list[bytes]]) -> WSGIServer:
    return make_server(host, port, application, server_class=_Server, handler_class=_Quiet)


def _application(families: Collects, breakers: Breakers) -> Callable[..., list[bytes]]:
    def metrics(accept: str) -> tuple[str, bytes]:
        encode, kind = choose_encoder(accept)
        return kind, encode(families)

    def circuits(accept: str) -> tuple[str, bytes]:
        found = [circuit._asdict() for circuit in breakers.circuits()]
        return "application/json", orjson.dumps(found)

    def healthz(accept: str) -> tuple[str, bytes]:
        return "text/plain", b"alive\n"

    pages = {"/metrics": metrics, "/circuits": circuits, "/healthz": healthz}

    def answer(environment: dict[str, Any], start_response: Any) -> list[bytes]:
        page = pages.get(environment["PATH_INFO"])
        if page is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [f"there are {', '.join(pages)}\n".encode()]
        kind, body = page(environment.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", kind)])
        return [body]

    return answer
