"""Imports and searches as the base grows, in one run.

    python -m benchmarks.growing [--entries N] [--small N] [--corpus FILE...] [--queries FILE]

The first rows are imported and searched, then the rest (1,000,000 rows by default: about 6 GB of
disk). Rates of each 100,000 entries stored and indexed, when the last row was found, and the
searches' p50 at both sizes; with --corpus and `wrk` also searches by kind of query (kinds.py).
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import corpus, kinds, system
from benchmarks.imports import run, search
from benchmarks.instance import Instance, instance
from benchmarks.progress import Progress

LATE = 15.0  # seconds after the last row until everything is to be found
STEADY = 0.7  # of the rate of the first 100,000 entries, that of the last is to reach
CLIENTS = 8  # that ask by kind
SLOWER = 2.0  # times the first p50, that the last may take


def files(sources: Sequence[Path], small: int, entries: int, folder: Path) -> tuple[Path, Path]:
    """The first `small` rows, and the others of `entries`."""
    whole, first, rest = (folder / f"{name}.ndjson" for name in ("whole", "first", "rest"))
    corpus.multiply(sources, entries, whole)
    with whole.open("rb") as lines, first.open("wb") as one, rest.open("wb") as other:
        one.writelines(itertools.islice(lines, small))
        other.writelines(lines)
    whole.unlink()
    return first, rest


def _searches(casebook: Instance, options: argparse.Namespace, folder: Path) -> float:
    """The p50 of searches in ms."""
    p50 = search(casebook, options.queries)
    if options.corpus:
        kinds.ask(casebook, kinds.queries(options.corpus[0]), folder)
    return p50


def main() -> int:
    """Measure and print; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growing", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--corpus", type=Path, nargs="+", default=[])
    parser.add_argument("--queries", type=Path, help='lines of {"text": ...}')
    options = parser.parse_args()
    system.CLIENTS = CLIENTS
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder, sources = Path(name), options.corpus
        if not sources:
            sources = [folder / "made.ndjson.gz"]
            corpus.make(sources[0], min(options.entries, corpus.COUNT))
        first, rest = files(sources, options.small, options.entries, folder)
        with instance() as casebook, Progress(casebook) as progress:
            run(casebook, first, [])
            print(f"{options.small:,} entries:")
            before = _searches(casebook, options, folder)
            other = run(casebook, rest, [])
            late = other.searchable - other.stored
            rate = other.entries / other.searchable
            print(f"the other {other.entries:,}: {rate:,.0f}/s to searchable;")
            print(f"  everything was found {late:.1f} s after the last row (goal {LATE:.0f})")
            after = _searches(casebook, options, folder)
        steady = progress.tell()
    print(f"last rate over first, stored: {steady:.2f} (goal {STEADY})")
    print(f"p50 of searches, last over first: {after / before:.2f} (goal {SLOWER})")
    return 0 if late <= LATE and steady >= STEADY and after <= SLOWER * before else 1


if __name__ == "__main__":
    sys.exit(main())
