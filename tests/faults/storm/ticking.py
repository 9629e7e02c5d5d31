"""A process that fires and runs one periodic message: REDIS_URL DATABASE_URL HEARTBEAT_MS.

It writes a row for each run. On SIGUSR1 and SIGUSR2 its clock is an hour ahead, or behind.
"""

import signal
import sys
import time
from datetime import timedelta
from typing import Any

import dramatiq
import psycopg
from dramatiq.middleware import CurrentMessage

from actors.broker import clock
from actors.broker.broker import StreamsBroker
from actors.broker.ticker import Periodic
from actors.broker.worker import Reading, Worker
from actors.middleware import policies
from contracts.errors import DatabaseUnavailable

QUEUE, NAME = "ticks", "storm"
EVERY = timedelta(milliseconds=500)
STEP = 3600.0  # seconds


class Tick:
    """Makes the messages."""

    def message(
        self, request: Any, *, queue: str | None = None, **options: Any
    ) -> dramatiq.Message[Any]:
        return dramatiq.Message(
            queue_name=QUEUE, actor_name="tick", args=(), kwargs={}, options=options
        )


def step(seconds: float) -> None:
    """Every clock of this process jumps; what it thinks that Redis's shows does so too."""
    before = clock.steady
    clock.steady = lambda: before() + seconds


def main(redis_url: str, database_url: str, heartbeat: int) -> None:
    """Work until killed."""
    broker = StreamsBroker(redis_url, [*policies(), CurrentMessage()])

    def tick() -> None:
        message = CurrentMessage.get_current_message()
        assert message is not None
        try:
            with psycopg.connect(database_url, connect_timeout=2) as session:
                session.execute("insert into storm_ticks values (%s)", (message.message_id,))
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(reason=str(error)) from error

    dramatiq.actor(tick, broker=broker, queue_name=QUEUE, actor_name="tick")
    schedule = [Periodic(NAME, EVERY, Tick(), None)]
    while True:
        worker = Worker(broker, [Reading(QUEUE)], schedule=schedule, heartbeat=heartbeat)
        try:
            worker.start()
            break
        except Exception:  # Redis is away: a supervisor would start it again
            time.sleep(0.2)
    signal.signal(signal.SIGUSR1, lambda *_: step(STEP))
    signal.signal(signal.SIGUSR2, lambda *_: step(-STEP))
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
