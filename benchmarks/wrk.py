"""`wrk`, the load generator, on the PATH: each of its connections asks without a pause."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.pieces import KEY

PATIENCE = "60s"  # with an answer: wrk leaves later ones out of its times
SETTLED = 1.0  # seconds after which nothing waits that wrk hung up on
SCRIPT = Path(__file__).with_name("search.lua")
MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Answered(NamedTuple):
    """Requests a second, and their times in ms."""

    rate: float
    p50: float
    p99: float


def ask(
    url: str, route: str, paths: Path, clients: int, seconds: int, *headers: str, key: str = KEY
) -> Answered:
    """Ask for what is in the file `paths`. Raises RuntimeError for answers that are not 200."""
    more = [
        word for header in (f"Authorization: Bearer {key}", *headers) for word in ("-H", header)
    ]
    how = ["-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", PATIENCE, "--latency"]
    done = subprocess.run(
        ["wrk", *how, "-s", str(SCRIPT), *more, url],
        env={**os.environ, "PATHS": str(paths), "ROUTE": route},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    time.sleep(SETTLED)
    # At a line's begin: wrk's other percentages may end in 50, too.
    rate = re.search(r"^\s*Requests/sec:\s+(\S+)", done, re.MULTILINE)
    times = [
        re.search(rf"^\s*{name}\s+([\d.]+)(\w+)", done, re.MULTILINE) for name in ("50%", "99%")
    ]
    if "Non-2xx" in done or rate is None or None in times:
        raise RuntimeError(done)
    p50, p99 = (float(found[1]) * MS[found[2]] for found in times if found)
    return Answered(float(rate[1]), p50, p99)
