"""Applies what has changed, once for each line that it reads: `follow.py ROOT DATABASE_URL`."""

import sys
from pathlib import Path

from storage.index.follower import Follower
from storage.postgres.store import Store

store = Store(sys.argv[2])
store.open()
follower = Follower(Path(sys.argv[1]), store)
for _ in sys.stdin:
    follower.step()
    print("applied", flush=True)
follower.close()
store.close()
