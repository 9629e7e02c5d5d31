"""Begins a roll-up and stops between two of its statements: `roll_up.py DATABASE_URL`."""

import sys
import threading
from pathlib import Path

from actors import analytics
from actors.warming import Warmth
from contracts.analytics import RollUp
from storage.breaker import Breaker
from storage.postgres.store import Store, Transaction

run = Transaction.run


def stop_at_latency(tx: Transaction, name: str, /, **parameters: object) -> int:
    """As `run`, until the third count: then say so and wait to be killed."""
    if name.endswith("count_latency"):
        print("in the middle", flush=True)
        threading.Event().wait()
    return run(tx, name, **parameters)


Transaction.run = stop_at_latency  # type: ignore[method-assign, assignment]  # only stops
store = Store(sys.argv[1])
store.open()
analytics.roll_up(RollUp(), store, Warmth("", Breaker("cache"), Path()))
