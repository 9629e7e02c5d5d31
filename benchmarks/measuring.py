"""What measuring costs a search: CASEBOOK_METRICS on, and read at every turn, against off.

`python -m benchmarks.measuring`, with `wrk` on the PATH. Two instances with the same entries take
turns at 16 clients. Beside the rates it counts the CPU that all processes of an instance use for a
search: what else the machine does weighs on a rate, and hardly on that.
"""

import os
import statistics
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlencode

import httpx

from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.system import SECONDS, measure_import, ticks, wrk

TURNS = 6
ENTRIES = 5_000
SETTING = "CASEBOOK_METRICS"


class Turn(NamedTuple):
    """Searches a second, and ms of CPU for each."""

    rate: float
    cost: float


def started(stack: ExitStack, *, measures: bool) -> Instance:
    """An instance that measures, or does not."""
    os.environ[SETTING] = str(measures)
    try:
        return stack.enter_context(instance())
    finally:
        del os.environ[SETTING]


def turn(casebook: Instance, paths: Path) -> Turn:
    """Search for SECONDS, and read /metrics once: three times as often as Prometheus does."""
    pids = casebook.pids
    before = ticks(pids)
    rate, _ = wrk(casebook.url, "/v1/search", paths, casebook.key)
    httpx.get(f"{casebook.url}/metrics", timeout=30)
    used = (ticks(pids) - before) / os.sysconf("SC_CLK_TCK")
    return Turn(rate, used * 1000 / (rate * SECONDS))


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        folder = Path(name)
        file, paths = folder / "made.ndjson.gz", folder / "paths"
        corpus.make(file, ENTRIES)
        texts = corpus.queries(None)
        paths.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
        instances = {one: started(stack, measures=one) for one in (True, False)}
        for casebook in instances.values():
            measure_import(casebook, file)
        pairs = []
        for number in range(TURNS + 1):
            order = (True, False) if number % 2 else (False, True)
            found = {one: turn(instances[one], paths) for one in order}
            if number:  # the first is to warm up
                pairs.append(found)
                on, off = found[True], found[False]
                print(f"on {on.rate:.0f}/s, {on.cost:.2f} ms CPU each; ", end="")
                print(f"off {off.rate:.0f}/s, {off.cost:.2f} ms")
        cost = statistics.median(pair[True].cost / pair[False].cost for pair in pairs)
        rate = statistics.median(pair[True].rate / pair[False].rate for pair in pairs)
        print(f"with measuring a search costs {cost:.2f} x CPU; rate {rate:.2f} x")


if __name__ == "__main__":
    main()
