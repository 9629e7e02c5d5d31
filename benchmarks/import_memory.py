"""Memory of an import of any size: `python -m benchmarks.import_memory [--stream MB] [--store MB]`.

A generator writes to the standard input of `casebook import -`: first with `--dry-run`, so that
the size is bounded by patience and not by the disk, then a part of it for real. The peaks so far
at each tenth of the stream show whether memory grows with it. `--stream 10000` is the 10 GB that
the bounds are for.
"""

import argparse
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

from benchmarks import corpus
from benchmarks.imports import run, sent
from benchmarks.instance import instance
from benchmarks.usage import peaks

CLIENT, WORKER = 100, 300  # MB, the bounds: resident; anonymous
MEGABYTE = 1_000_000
BLOCKS = 50  # of 100 rows, which a dry run is sent again and again
WORKERS = ("worker", "importer", "indexer")


def made() -> Iterator[bytes]:
    """Blocks of rows, none like another; none of them is kept."""
    draw = random.Random(corpus.SEED)
    for first in itertools.count(0, 100):
        yield b"".join(corpus.row(draw, number) for number in range(first, first + 100))


def stream(blocks: Iterator[bytes], size: int, most: Counter[str]) -> Iterator[bytes]:
    """So many bytes of them; at each tenth the peaks so far are told."""
    told = 0
    for before, block in _placed(blocks):
        if before * 10 >= told * size:
            print(f"  {before // MEGABYTE:6,} MB: {shown(most)}", flush=True)
            told += 1
        if before >= size:
            return
        yield block


def _placed(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    before = 0
    for block in blocks:
        yield before, block
        before += len(block)


def shown(most: Counter[str]) -> str:
    """The peaks in MB, of the client and of what works for it."""
    return ", ".join(f"{name} {most[name]}" for name in ("client", *WORKERS) if most[name])


def main() -> int:
    """Measure and print; 1 where a bound was passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_memory", description=__doc__)
    parser.add_argument("--stream", type=int, default=100, metavar="MB", help="of the dry run")
    parser.add_argument("--store", type=int, default=20, metavar="MB", help="of it, for real")
    options = parser.parse_args()
    clients: list[int] = []
    with instance() as casebook, peaks(casebook, clients) as most:
        print(f"dry run of {options.stream:,} MB; peaks so far in MB:")
        blocks = itertools.cycle(list(itertools.islice(made(), BLOCKS)))
        began = time.monotonic()
        size = options.stream * MEGABYTE
        report, _ = sent(casebook, stream(blocks, size, most), clients, "--dry-run")
        taken = time.monotonic() - began
        print(f"  {report['counts']['received']:,} rows, {options.stream / taken:.1f} MB/s")
        print(f"import of {options.store:,} MB:")
        done = run(casebook, stream(made(), options.store * MEGABYTE, most), clients)
        print(f"  {done.entries:,} entries, {done.entries / done.searchable:,.0f}/s to searchable")
        print(f"together: {shown(most)}")
        worst = max(most[name] for name in WORKERS)
        print(f"bounds: client {CLIENT}, each worker {WORKER}")
    return 0 if most["client"] <= CLIENT and worst <= WORKER else 1


if __name__ == "__main__":
    sys.exit(main())
