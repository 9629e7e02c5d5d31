"""`up.py DATA [CHILD…]`: lock, servers, and children that run the given Python code."""

import sys
from pathlib import Path

from deploy.errors import DeployError
from deploy.lock import DataLock
from deploy.postgres import EmbeddedPostgres
from deploy.supervisor import Child, Supervisor
from deploy.valkey import EmbeddedCache, EmbeddedValkey
from tests.support.clusters import unsynced

unsynced()

data = Path(sys.argv[1])
postgres, valkey, cache = EmbeddedPostgres(data), EmbeddedValkey(data), EmbeddedCache(data)


def children() -> list[Child]:
    """One child for each argument, told where it may leave a mark."""
    codes = enumerate(sys.argv[2:])
    env = {"DATA": str(data), "PATH": "/usr/bin:/bin"}
    return [Child(f"child{n}", [sys.executable, "-c", code], env) for n, code in codes]


def ready() -> None:
    """Say who runs."""
    lock.announce("http://127.0.0.1:8080")
    print(f"up postgres={postgres.pid} valkey={valkey.pid} cache={cache.pid}")


try:
    with DataLock(data) as lock:
        servers = [postgres, valkey]
        Supervisor(data, servers, spare=[cache], report=print, grace=2.0).run(children, ready)
except DeployError as error:
    sys.exit(f"{error.code}: {error}")
print("down")
