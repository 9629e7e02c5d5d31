"""What measuring costs: searches at 16 clients with CASEBOOK_METRICS on and off.

`python -m benchmarks.measuring`, with `wrk` on the PATH. Two instances with the same entries take
turns, so that what else the machine does weighs on both; the ratio is the median of the turns'.
"""

import os
import statistics
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import httpx

from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.system import measure_import, wrk

TURNS = 6
ENTRIES = 5_000
SETTING = "CASEBOOK_METRICS"


def started(stack: ExitStack, *, measures: bool) -> Instance:
    """An instance that measures, or does not."""
    os.environ[SETTING] = str(measures)
    try:
        return stack.enter_context(instance())
    finally:
        del os.environ[SETTING]


def scrape(casebook: Instance, ended: threading.Event) -> None:
    """Read /metrics each second, as no Prometheus would."""
    while not ended.wait(1.0):
        httpx.get(f"{casebook.url}/metrics", timeout=30)


def rate(casebook: Instance, paths: Path, *, scraped: bool) -> float:
    """Searches a second."""
    ended = threading.Event()
    scraper = threading.Thread(target=scrape, args=(casebook, ended))
    if scraped:
        scraper.start()
    try:
        return wrk(casebook.url, "/v1/search", paths, casebook.key)[0]
    finally:
        ended.set()
        if scraped:
            scraper.join()


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        folder = Path(name)
        file, paths = folder / "made.ndjson.gz", folder / "paths"
        corpus.make(file, ENTRIES)
        texts = corpus.queries(None)
        paths.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
        on, off = (started(stack, measures=one) for one in (True, False))
        for casebook in (on, off):
            measure_import(casebook, file)
        ratios = []
        for turn in range(TURNS + 1):
            without = rate(off, paths, scraped=False)
            measured = rate(on, paths, scraped=True)
            if turn:  # the first is to warm up
                ratios.append(measured / without)
                print(f"off {without:.0f}/s, on {measured:.0f}/s: {ratios[-1]:.2f}")
        print(f"measuring leaves {statistics.median(ratios):.2f} of the searches")


if __name__ == "__main__":
    main()
