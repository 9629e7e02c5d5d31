"""What measuring costs a search: CASEBOOK_METRICS on, and read at every turn, against off.

`python -m benchmarks.measuring [--otel]`, with `wrk` on the PATH. With `--otel` what is switched is
OpenTelemetry, every search traced, to a collector that takes everything and looks at nothing. Two
instances with the same entries take turns: searches that are computed anew, then the same few from
the cache. Beside the rates it counts the CPU that all processes of an instance use for an answer:
what else the machine does weighs on a rate, and hardly on that.
"""

import os
import re
import statistics
import subprocess
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
from benchmarks.system import measure_import, ticks

TURNS = 5
SECONDS = 4
CLIENTS = 4  # few: what is refused because the machine is busy is no answer
ENTRIES = 5_000
FEW = 50  # queries that the cache answers
SETTING = "CASEBOOK_METRICS"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SCRIPT = Path(__file__).with_name("search.lua")


class Kind(NamedTuple):
    """Which searches: the file of their paths, and what is sent along."""

    paths: Path
    headers: tuple[str, ...]


class Turn(NamedTuple):
    """Answers a second, and ms of CPU for each."""

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


def turn(casebook: Instance, kind: Kind) -> Turn:
    """Search for SECONDS, and read /metrics once: three times as often as Prometheus does."""
    pids = casebook.pids
    before = ticks(pids)
    answers = ask(casebook, kind)
    httpx.get(f"{casebook.url}/metrics", timeout=30)
    used = (ticks(pids) - before) / os.sysconf("SC_CLK_TCK")
    return Turn(answers / SECONDS, used * 1000 / answers)


def ask(casebook: Instance, kind: Kind) -> int:
    """How many answers came within SECONDS; refusals are none."""
    headers = (f"Authorization: Bearer {casebook.key}", *kind.headers)
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "-s", str(SCRIPT)),
            *(word for header in headers for word in ("-H", header)),
            casebook.url,
        ],
        env={**os.environ, "PATHS": str(kind.paths), "ROUTE": "/v1/search"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    asked = re.search(r"(\d+) requests in", done)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    answers = int(asked[1] if asked else 0) - int(refused[1] if refused else 0)
    if answers <= 0:
        raise RuntimeError(done)
    return answers


def kinds(folder: Path) -> dict[str, Kind]:
    """The two that are measured, by name."""
    paths = ["?" + urlencode({"q": text[:500]}) for text in corpus.queries(None)]
    (folder / "all").write_text("\n".join(paths))
    (folder / "few").write_text("\n".join(paths[:FEW]))
    return {
        "computed": Kind(folder / "all", ("Cache-Control: no-cache",)),
        "from the cache": Kind(folder / "few", ()),
    }


def main() -> None:
    """Measure and print."""
    otel = "--otel" in sys.argv
    with TemporaryDirectory(prefix="benchmark-") as folder, ExitStack() as stack:
        file = Path(folder, "made.ndjson.gz")
        corpus.make(file, ENTRIES)
        on = {ENDPOINT: sink(stack)} if otel else {SETTING: "True"}
        instances = {
            True: started(stack, on),
            False: started(stack, {} if otel else {SETTING: "False"}),
        }
        for casebook in instances.values():
            measure_import(casebook, file)
        for name, kind in kinds(Path(folder)).items():
            pairs = []
            for number in range(TURNS + 1):
                order = (True, False) if number % 2 else (False, True)
                pairs.append({one: turn(instances[one], kind) for one in order})
            report("OpenTelemetry" if otel else "measuring", name, pairs[1:])  # the first warms up


def report(what: str, name: str, pairs: list[dict[bool, Turn]]) -> None:
    """Each turn, and the medians of on over off."""
    for pair in pairs:
        told = (
            f"{one.rate:.0f}/s, {one.cost:.2f} ms CPU each" for one in (pair[True], pair[False])
        )
        print(f"  {name}: on {', off '.join(told)}")
    cost = statistics.median(pair[True].cost / pair[False].cost for pair in pairs)
    rate = statistics.median(pair[True].rate / pair[False].rate for pair in pairs)
    print(f"{name}: with {what} an answer costs {cost:.2f} x CPU; rate {rate:.2f} x", flush=True)


if __name__ == "__main__":
    main()
