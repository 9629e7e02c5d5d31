"""The queue libraries compared: one module each, found by its file name."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Protocol, cast

from benchmarks.load import ANSWER_WITHIN, Client

URL = "BENCHMARK_URL"
"""Environment variable with the server's URL, for workers that cannot take it as an argument."""


class Peer(Protocol):
    """What a peer's module offers. Every URL has the form `unix:///path/to/socket`."""

    NAME: str
    """The row's label."""

    WORKER_ENV: Mapping[str, str]
    """What the worker's environment needs besides `BENCHMARK_URL`, which is always set."""

    def worker_argv(self, url: str) -> list[str]:
        """The command that runs one worker process until SIGTERM."""
        ...

    def client(self, url: str) -> Client:
        """A client; entering it gives the call that makes one round trip."""
        ...


def names() -> list[str]:
    """The names of all peers, whether their packages are installed or not."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def load(name: str) -> Peer:
    """Import one peer; raises ModuleNotFoundError if its package is not installed."""
    return cast(Peer, importlib.import_module(f"{__name__}.{name}"))


def patient(url: str) -> str:
    """The URL for a redis-py client that may block until an answer is overdue.

    redis-py 8 gives up on any read after 5 s, which may be before the worker is up.
    """
    return f"{url}?socket_timeout={ANSWER_WITHIN + 5}"
