"""Five times as many searches as can be answered: how many are answered, and how quickly.

`python -m benchmarks.overload [--corpus FILE --queries FILE] [--seconds 6] [--rounds 3]`

Capacity is what 32 clients get who ask in turn. Then searches come at a constant rate, once at
capacity and once at five times that, in turn. No search comes twice, so no cache helps. Beside the
figures stands the CPU that each process used, in cores: the generator's, too, since it takes it
from the others.
"""

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.open_loop import Taken, at_rate, in_turn, searches
from benchmarks.system import measure_import, ticks

ENTRIES = 5_000
CLIENTS = 32
TIMES = 5
ROLES = ("shim.app", "worker worker", "valkey")


def distinct(texts: Sequence[str]) -> Iterator[str]:
    """Texts, then each with a word of another one, again and again."""
    draw = random.Random(5)
    yield from dict.fromkeys(texts)
    seen = set(texts)
    while True:
        text = f"{draw.choice(texts)} {draw.choice(draw.choice(texts).split() or ['a'])}"
        if text not in seen:
            seen.add(text)
            yield text


def cores(casebook: Instance, run: Callable[[], Taken]) -> tuple[Taken, dict[str, float]]:
    """What a run saw, and the cores that each process was busy on meanwhile."""
    pids = casebook.pids
    names = {pid: _role(pid) for pid in pids}
    before, own = {pid: ticks([pid]) for pid in pids}, time.process_time()
    taken = run()
    used = {"generator": (time.process_time() - own) / taken.seconds}
    for pid in pids:
        seconds = (ticks([pid]) - before[pid]) / os.sysconf("SC_CLK_TCK")
        used[names[pid]] = used.get(names[pid], 0.0) + seconds / taken.seconds
    return taken, used


def _role(pid: int) -> str:
    command = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True)
    return next((role for role in ROLES if role in command.stdout), "others")


def show(name: str, taken: Taken, used: dict[str, float]) -> None:
    """One line."""
    busy = ", ".join(f"{role} {part:.2f}" for role, part in sorted(used.items()))
    print(
        f"  {name}: answered {taken.goodput:.0f}/s, p50 {taken.quantile(0.5):.1f} ms,"
        f" p99 {taken.quantile(0.99):.1f} ms; refused {len(taken.refused) / taken.seconds:.0f}/s;"
        f" others {dict(taken.others)}; sent {taken.late * 1000:.0f} ms late at most;"
        f" cores: {busy}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def measure(casebook: Instance, texts: Sequence[str], seconds: float, rounds: int) -> None:
    """Rounds of capacity, once and five times it; medians of their ratios."""
    wanted = searches(list(itertools.islice(distinct(texts), 200_000)), casebook.port, casebook.key)
    requests = itertools.cycle(wanted)
    goodputs, tails, costs, efforts = [], [], [], []
    for turn in range(rounds + 1):
        runs: dict[str, Taken] = {}
        busy: dict[str, dict[str, float]] = {}
        capacity = 0.0
        for name in ("capacity", "once", "five times"):

            def run(name: str = name, rate: float = capacity) -> Taken:
                if name == "capacity":
                    return in_turn(requests, casebook.port, CLIENTS, seconds)
                times = TIMES if name == "five times" else 1
                return at_rate(requests, casebook.port, rate * times, seconds)

            runs[name], busy[name] = cores(casebook, run)
            capacity = capacity or runs[name].goodput
            show(name, runs[name], busy[name])
        if turn:  # the first is to warm up
            goodputs.append(runs["five times"].goodput / capacity)
            tails.append(runs["five times"].quantile(0.99) / runs["once"].quantile(0.99))
            costs.append(refusal(runs, busy))
            efforts.append(
                effort(runs["five times"], busy["five times"])
                / effort(runs["capacity"], busy["capacity"])
            )
    print(f"goodput at {TIMES} times capacity: {statistics.median(goodputs):.0%} of capacity;")
    print(f"p99 of the answered: {statistics.median(tails):.2f} times that at capacity;")
    print(f"CPU of a refusal: {statistics.median(costs):.1%} of that of an answer;")
    print(
        f"CPU of an answer in the worker: {statistics.median(efforts):.2f} times that at capacity"
    )


def effort(taken: Taken, used: dict[str, float]) -> float:
    """Seconds of a worker for each answer: more, where it works for those who have left."""
    return used["worker worker"] / taken.goodput


def refusal(runs: dict[str, Taken], busy: dict[str, dict[str, float]]) -> float:
    """What a refusal takes of the processors, in answers: how busy others are hardly matters."""
    usual, over = runs["capacity"], runs["five times"]
    answer = sum(part for role, part in busy["capacity"].items() if role != "generator")
    rest = busy["five times"]["shim.app"] - busy["capacity"]["shim.app"] * (
        over.goodput / usual.goodput
    )
    refused = len(over.refused) / over.seconds
    return rest / refused / (answer / usual.goodput) if refused else 0.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--corpus", type=Path, help="rows with _id, title, text, metadata")
    parser.add_argument("--queries", type=Path, help='lines of {"text": ...}')
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="benchmark-") as name, instance() as casebook:
        file = options.corpus
        if file is None:
            file = Path(name) / "made.ndjson.gz"
            corpus.make(file, ENTRIES)
        measure_import(casebook, file)
        measure(casebook, corpus.queries(options.queries), options.seconds, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
