"""`disks.py FOLDER`, in a mount namespace of its own: full and read-only disks under DATA."""

import subprocess
import sys
from pathlib import Path

import psycopg

from deploy.errors import DeployError
from deploy.lock import DataLock
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey

base = Path(sys.argv[1])


def mount(name: str, options: str) -> Path:
    """A small disk of its own; the data folder on it."""
    (base / name).mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(base / name)], check=True)
    return base / name / "data"


def attempt(what: str, server: EmbeddedPostgres | EmbeddedValkey | DataLock) -> None:
    """Try a start and tell its error on one line."""
    try:
        server.acquire() if isinstance(server, DataLock) else server.start()
    except DeployError as error:
        print(what, error.code, str(error).replace("\n", " | "))
    else:
        print(what, "came up")


def full_disk() -> None:
    """Too small for a cluster; then large enough, filled, and given some space again."""
    data = mount("tiny", "size=20m")
    attempt("tiny:", EmbeddedPostgres(data))
    print("tiny left:", sorted(path.name for path in data.glob("postgres*")))
    data = mount("small", "size=160m")
    postgres, valkey = EmbeddedPostgres(data), EmbeddedValkey(data)
    postgres.start()
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    postgres.stop()
    filler = data / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    attempt("full:", postgres)
    attempt("full valkey:", valkey)
    filler.unlink()
    attempt("freed:", postgres)
    with psycopg.connect(postgres.url) as connection:
        print("kept:", connection.execute("SELECT n FROM kept").fetchone())
    postgres.stop()


def read_only() -> None:
    """A disk that can't be written, with a data folder on it and without."""
    data = mount("fixed", "size=1m,ro")
    attempt("read-only:", EmbeddedPostgres(data))
    attempt("read-only valkey:", EmbeddedValkey(data))
    attempt("read-only lock:", DataLock(data))


full_disk()
read_only()
