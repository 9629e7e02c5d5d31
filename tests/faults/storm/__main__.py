"""`python -m tests.faults.storm --seeds 1..N --rounds N [--minutes M] [--theme NAME]`.

Exit codes: 0 all was as promised; 1 something was not (the seed, its journal and its folder are
told); 130 interrupted.
"""

import argparse
import logging
import signal
import sys
import time

from tests.faults.storm.disk import enter_namespace
from tests.faults.storm.outages import DISKS
from tests.faults.storm.storm import KINDS, THEMES, Storm
from tests.faults.storm.table import Totals, table


def main(arguments: list[str]) -> int:
    """Run the seeds in order, each until it fails; print the table whatever happened."""
    asked = _parse(arguments)
    logging.basicConfig(level=logging.ERROR)  # connections that end are what this is about
    disks = enter_namespace("tests.faults.storm", arguments)
    totals = Totals()
    if not disks:
        totals.notes |= {fault.kind: "not run here" for fault in DISKS}
    began = time.monotonic()
    end = began + asked.minutes * 60 if asked.minutes else float("inf")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = 0
    try:
        for seed in asked.seeds:
            if time.monotonic() > end:
                break
            storm = Storm(
                seed,
                asked.theme or [*THEMES],
                disks=disks,
                say=lambda line: print(line, flush=True),
            )
            code |= _run(storm, asked.rounds, end, totals)
    except KeyboardInterrupt:
        code = 130
    totals.seconds = time.monotonic() - began
    if totals.seeds:
        print("\n" + table(totals, KINDS), flush=True)
    return code


def _run(storm: Storm, rounds: int, end: float, totals: Totals) -> int:
    totals.seeds.append(storm.seed)
    try:
        storm.run(lambda done: done < rounds and time.monotonic() < end)
    finally:
        totals.rounds += storm.rounds
        totals.acknowledged += len(storm.ledger.acknowledged)
        totals.rows += len(storm.ledger.rows)
        totals.answers += storm.ledger.answers
    return int(storm.failed)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm")
    parser.add_argument("--seeds", type=_seeds, default=range(1, 6), help="1..5, or one number")
    parser.add_argument("--rounds", type=int, default=10, help="of each seed")
    parser.add_argument("--theme", action="append", choices=[*THEMES], help="only; may be repeated")
    parser.add_argument("--minutes", type=float, default=0, help="stop after; 0: when seeds end")
    return parser.parse_args(arguments)


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
