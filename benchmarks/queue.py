"""Round trips through Casebook's queue and its peers': `python -m benchmarks.queue`.

Each run has a Valkey server, one worker process and one client process of its own. The peers
take turns (A B C A B C), so that a noisy minute of the machine does not fall on one alone.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

from benchmarks import drain, peers
from benchmarks.load import Figures
from benchmarks.processes import running, unwinding
from benchmarks.server import server

RUN_WITHIN = 60.0
"""Seconds the client has to give its figures; it takes about 15."""

LOG_TAIL = 2000
"""Characters shown of the log of a process that failed."""


class RunError(Exception):
    """A run gave no figures; the message says why, with the ends of the logs."""


@dataclass
class Row:
    """One peer's runs so far, and why there are no more if one failed."""

    name: str
    runs: list[Figures] = field(default_factory=list)
    error: str = ""
    #: Messages a second of a drain, if one was asked for.
    one_way: float | None = None

    def figures(self) -> Figures | None:
        """The median of each figure over all runs; None if one failed."""
        if self.error or not self.runs:
            return None
        columns = zip(*map(dataclasses.astuple, self.runs), strict=True)
        return Figures(*map(statistics.median, columns))

    def label(self) -> str:
        """What the table calls the peer."""
        return self.name if self.error else peers.load(self.name).NAME


def run(name: str) -> Figures:
    """Measure one peer once, in about 15 s; raises RunError."""
    try:
        peer = peers.load(name)
        with TemporaryDirectory(prefix="benchmark-") as folder, server() as url:
            worker_log, client_log = Path(folder, "worker.log"), Path(folder, "client.log")
            output = Path(folder, "figures.json")
            worker_argv, worker_env = peer.worker_argv(url), {peers.URL: url, **peer.WORKER_ENV}
            client_argv = [sys.executable, "-m", "benchmarks.client", name, url, str(output)]
            with (
                running(worker_argv, worker_log, worker_env) as worker,
                running(client_argv, client_log) as client,
            ):
                problem = _wait(worker, client, client_log)
            if problem:
                raise RunError("\n".join([problem, _tail(worker_log), _tail(client_log)]))
            return Figures(**json.loads(output.read_text()))
    except ModuleNotFoundError as error:
        raise RunError(f"{error.name} is not installed: install the `bench` extra") from error


def measure(names: Sequence[str], rounds: int) -> list[Row]:
    """Run every peer `rounds` times, in turn; a peer that fails is not run again."""
    rows = [Row(name) for name in names]
    for turn in range(1, rounds + 1):
        for row in rows:
            if row.error:
                continue
            print(f"round {turn} of {rounds}: {row.name}", file=sys.stderr)
            try:
                row.runs.append(run(row.name))
            except RunError as error:
                row.error = str(error)
                print(f"{row.name}: {error}", file=sys.stderr)
    return rows


def table(rows: Sequence[Row], base: str) -> str:
    """The rows as text; the ratios say how many times the base row's figure each is."""
    by = next((row.figures() for row in rows if row.name == base), None)
    heads = ["", "idle p50 ms", "p95 ms", "p50 ratio", "64 waiting /s", "ratio", "one way /s"]
    lines = [heads]
    for row in rows:
        mine = row.figures()
        if mine is None:
            lines.append([row.label(), f"error: {row.error.splitlines()[0]}"])
            continue
        p50_ratio = f"{mine.idle_p50_ms / by.idle_p50_ms:.2f}" if by else "-"
        rate_ratio = f"{mine.waiting64_per_s / by.waiting64_per_s:.2f}" if by else "-"
        p50, p95 = f"{mine.idle_p50_ms:.2f}", f"{mine.idle_p95_ms:.2f}"
        one_way = f"{row.one_way:,.0f}" if row.one_way else "-"
        rate = f"{mine.waiting64_per_s:.0f}"
        lines.append([row.label(), p50, p95, p50_ratio, rate, rate_ratio, one_way])
    first = max(len(line[0]) for line in lines)
    widths = [len(head) for head in heads[1:]]
    return "\n".join(
        "  ".join([line[0].ljust(first), *map(str.rjust, line[1:], widths)]) for line in lines
    )


def as_json(rows: Sequence[Row], base: str) -> str:
    """The rows as JSON: each peer's medians, its single runs, and its error or null."""
    found = [
        {
            "name": row.name,
            "label": row.label(),
            "median": dataclasses.asdict(figures) if (figures := row.figures()) else None,
            "runs": [dataclasses.asdict(one) for one in row.runs],
            "one_way_per_s": row.one_way,
            "error": row.error or None,
        }
        for row in rows
    ]
    return json.dumps({"base": base, "rows": found}, indent=2)


def main() -> int:
    """Measure and print; returns 1 if any peer failed."""
    known = peers.names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue", description=__doc__)
    parser.add_argument("--peers", default=",".join(known), help="comma-separated (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each peer (%(default)s)")
    parser.add_argument("--base", help="the peer of the ratios (casebook, or else the first)")
    parser.add_argument("--drain", action="store_true", help="also one way (benchmarks/drain.py)")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    options = parser.parse_args()
    names = options.peers.split(",")
    base = options.base or ("casebook" if "casebook" in names else names[0])
    if unknown := {*names, base} - {*known}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")

    with unwinding():
        rows = measure(names, options.rounds)
        for row in rows if options.drain else ():
            if not row.error:
                row.one_way = drain.run(row.name, drain.MESSAGES)
    print(as_json(rows, base) if options.json else table(rows, base))
    return int(any(row.error for row in rows))


def _wait(worker: Popen[bytes], client: Popen[bytes], client_log: Path) -> str:
    """Wait for the client to end; returns what went wrong, or an empty string."""
    deadline = time.monotonic() + RUN_WITHIN
    while client.poll() is None:
        if worker.poll() is not None:
            return f"the worker ended with status {worker.returncode}"
        if time.monotonic() > deadline:
            return f"the client gave no figures within {RUN_WITHIN:.0f} s"
        time.sleep(0.1)
    if client.returncode == 0:
        return ""
    # A traceback's last line says most: as a rule that no answer came from the worker in time.
    last_line = (_text(client_log).splitlines() or ["no message"])[-1]
    return f"the client failed: {last_line}"


def _text(log: Path) -> str:
    return log.read_text(errors="replace").strip()


def _tail(log: Path) -> str:
    return f"--- {log.name}:\n{_text(log)[-LOG_TAIL:]}"


if __name__ == "__main__":
    sys.exit(main())
