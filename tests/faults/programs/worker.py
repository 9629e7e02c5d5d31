"""A worker process that tests kill, stop and resume: URL QUEUE HEARTBEAT_MS PREFETCH JOURNAL_URL.

Its one actor writes `NAME PID` to the list `journal:QUEUE` on the second server, which may be the
first, and then does what NAME says.
"""

import os
import signal
import sys
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.worker import Reading, Worker
from actors.middleware import policies


class Tells(Middleware):
    """Writes `ready`, `settled` and, before a message that has crashes, `crashed:NAME`."""

    def __init__(self, redis: Redis, journal: str) -> None:
        self._redis = redis
        self._journal = journal

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        self._redis.rpush(self._journal, f"ready {os.getpid()}")

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        if message.crashes:
            self._redis.rpush(self._journal, f"crashed:{message.args[0]} {os.getpid()}")

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        self._redis.rpush(self._journal, f"settled {os.getpid()}")

    after_nack = after_ack


def main(url: str, queue: str, heartbeat: int, prefetch: int, journal_url: str) -> None:
    """Work until killed."""
    redis = Redis.from_url(journal_url, socket_timeout=None)
    journal = f"journal:{queue}"
    broker = StreamsBroker(url, [Tells(redis, journal), *policies()])

    def work(name: str) -> None:
        runs = redis.incr(f"runs:{queue}:{name}")
        redis.rpush(journal, f"{name} {os.getpid()}")
        if name == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow") and runs == 1:
            redis.blpop([f"gate:{queue}"])  # until the test opens it, or kills this process
            raise ValueError("the first run fails, late")

    dramatiq.actor(work, broker=broker, queue_name=queue, actor_name="work", max_retries=0)
    worker = Worker(broker, [Reading(queue, 1, prefetch)], heartbeat=heartbeat)
    worker.start()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
