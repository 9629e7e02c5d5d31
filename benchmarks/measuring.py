"""What measuring costs a search: CASEBOOK_METRICS on, and read at every turn, against off.

`python -m benchmarks.measuring [--otel]`, with `wrk` on the PATH. With `--otel` what is switched is
OpenTelemetry, every search traced, to a collector that takes everything and looks at nothing. Two
instances with the same entries take turns at 16 clients. Beside the rates it counts the CPU that
all processes of an instance use for a search: what else the machine does weighs on a rate, and
hardly on that.
"""

import os
import statistics
import sys
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx

from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.system import SECONDS, measure_import, ticks, wrk

TURNS = 6
ENTRIES = 5_000
SETTING = "CASEBOOK_METRICS"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Turn(NamedTuple):
    """Searches a second, and ms of CPU for each."""

    rate: float
    cost: float


class Sink(BaseHTTPRequestHandler):
    """A collector."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


def sink(stack: ExitStack) -> str:
    """The URL of a collector that runs until the stack is left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


def started(stack: ExitStack, variables: dict[str, str]) -> Instance:
    """An instance with these variables."""
    os.environ |= variables
    try:
        return stack.enter_context(instance())
    finally:
        for name in variables:
            del os.environ[name]


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
    otel = "--otel" in sys.argv
    with TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        folder = Path(name)
        file, paths = folder / "made.ndjson.gz", folder / "paths"
        corpus.make(file, ENTRIES)
        texts = corpus.queries(None)
        paths.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
        on = {ENDPOINT: sink(stack)} if otel else {SETTING: "True"}
        instances = {
            True: started(stack, on),
            False: started(stack, {} if otel else {SETTING: "False"}),
        }
        for casebook in instances.values():
            measure_import(casebook, file)
        pairs = []
        for number in range(TURNS + 1):
            order = (True, False) if number % 2 else (False, True)
            found = {one: turn(instances[one], paths) for one in order}
            if number:  # the first is to warm up
                pairs.append(found)
                for name, one in (("on", found[True]), ("off", found[False])):
                    print(f"{name} {one.rate:.0f}/s, {one.cost:.2f} ms CPU each", flush=True)
        cost = statistics.median(pair[True].cost / pair[False].cost for pair in pairs)
        rate = statistics.median(pair[True].rate / pair[False].rate for pair in pairs)
        what = "OpenTelemetry" if otel else "measuring"
        print(f"with {what} a search costs {cost:.2f} x CPU; rate {rate:.2f} x")


if __name__ == "__main__":
    main()
