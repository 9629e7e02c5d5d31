"""The same Dramatiq with its worker's polling tuned for latency."""

from collections.abc import Mapping

from benchmarks.peers.dramatiq_default import client, worker_argv

__all__ = ["NAME", "WORKER_ENV", "client", "worker_argv"]

NAME = "dramatiq, tuned"
WORKER_ENV: Mapping[str, str] = {
    # Milliseconds between polls of an empty queue, at most: Dramatiq never blocks on Redis.
    "dramatiq_worker_timeout": "2",
    # One fetch may bring everything that waits, not only two messages per thread.
    "dramatiq_queue_prefetch": "64",
}
