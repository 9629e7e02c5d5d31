"""Events, and answers over many of them: `python -m benchmarks.analytics`.

Against a whole Casebook. First what recording events costs a search (benchmarks.events). Then
answers over HTTP, each computed anew, over so many events of 90 days: events and roll-ups are made
in PostgreSQL directly (rolled_up.sql). The first asking of each, which may read from the disk, is
told apart; at last dashboards as people get them, from the caches while they hold. `--rate 0`
leaves the first measure out, `--events 0` the second. With `--data FOLDER` the second's Casebook is
kept there, and used again on the same day.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from benchmarks.events import measure_recording, servers
from benchmarks.instance import Instance, instance
from benchmarks.usage import cpu_seconds

MET = 150  # seconds: at least two roll-ups
EACH = 0.1  # seconds from one asking to the next
TIMES = 200  # askings of each answer, after the first
DAYS = 90
ENTRIES = 20_000
FILL = Path(__file__).with_name("rolled_up.sql")
MADE = "select from event_days where day = current_date limit 1"
NO_CACHE = {"Cache-Control": "no-cache"}


def questions() -> dict[str, tuple[str, dict[str, str]]]:
    """Name → path and parameters."""
    quarter = {"since": (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()}
    berlin, vsam = {"zone": "Europe/Berlin"}, {"category": "VSAM"}
    queries = ("popular", "rising", "unanswered", "unclicked")
    entries = ("popular", "best", "unfound", "stale")
    reports = (("searches", "category"), ("used", "tag"), ("used", "entry"), ("searches", "query"))
    return {
        "dashboard": ("dashboard", {}),
        "dashboard, 90 days": ("dashboard", quarter),
        "dashboard, another zone": ("dashboard", berlin),
        "dashboard, one category": ("dashboard", vsam),
        "dashboard, category, 90 days": ("dashboard", {**vsam, **quarter}),
        "dashboard, zone, 90 days": ("dashboard", {**berlin, **quarter}),
        **{f"queries {one}": ("queries", {"list": one}) for one in queries},
        **{f"entries {one}": ("entries", {"list": one}) for one in entries},
        "latency": ("latency", {}),
        "activity": ("activity", {}),
        **{f"{metric} by {by}": ("report", {"metric": metric, "by": by}) for metric, by in reports},
        **{
            f"{metric} by {by}, 90 days": ("report", {"metric": metric, "by": by, **quarter})
            for metric, by in reports
        },
    }


def fill(casebook: Instance, events: int) -> None:
    """Make the events and their roll-ups, unless they are here."""
    url = servers(casebook)["database_url"]
    with psycopg.connect(url) as session:
        if session.execute(MADE).fetchone() is not None:
            return
        values = {"day": events // DAYS, "days": DAYS, "entries": ENTRIES}
        for statement in FILL.read_text().split(";\n"):
            session.execute(statement.encode(), values)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("vacuum analyze")
        session.execute("checkpoint")  # else the answers wait behind what it writes


def measure_answers(casebook: Instance) -> None:
    """Each answer: percentiles, and the CPU that it takes in PostgreSQL and elsewhere."""
    headers = {"Authorization": f"Bearer {casebook.key}", **NO_CACHE}
    head = f"{'':30}{'first':>8}{'p50':>8}{'p99 ms':>8}"
    print(f"{head}{'CPU ms: PostgreSQL':>22}{'worker':>8}{'others':>8}")
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for name, (path, wanted) in questions().items():
            first = _took(http, path, wanted)
            before = cpu_seconds(casebook)
            taken = [_took(http, path, wanted) for _ in range(TIMES)]
            used = cpu_seconds(casebook)
            used.subtract(before)
            p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
            mine = {kind: used.pop(kind, 0.0) for kind in ("postgres", "worker")}
            cpu = [1000 * one / TIMES for one in (*mine.values(), sum(used.values()))]
            times = f"{first:8.1f}{p50:8.1f}{p99:8.1f}"
            print(f"  {name:28}{times}{cpu[0]:22.1f}{cpu[1]:8.1f}{cpu[2]:8.1f}")


def measure_met(casebook: Instance) -> None:
    """The dashboards by turns as they are met: roll-ups cool them, and old ones may be given while
    new ones are made."""
    headers = {"Authorization": f"Bearer {casebook.key}"}
    asked = [one for name, one in questions().items() if name.startswith("dashboard")]
    taken: list[float] = []
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for one in asked:
            _took(http, *one)
        start = time.perf_counter()
        while (now := time.perf_counter() - start) < MET:
            time.sleep(max(0.0, EACH * len(taken) - now))
            taken.append(_took(http, *asked[len(taken) % len(asked)]))
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
    print(f"  dashboards with the caches as they are, {1 / EACH:.0f} a second for {MET} s:")
    print(f"  p50 {p50:.1f} ms, p99 {p99:.1f} ms, the longest {max(taken):.1f} ms")


def _took(http: httpx.Client, path: str, wanted: dict[str, str]) -> float:
    start = time.perf_counter()
    http.get(f"/v1/analytics/{path}", params=wanted).raise_for_status()
    return (time.perf_counter() - start) * 1000  # ms


@contextmanager
def filled(events: int, folder: Path | None) -> Iterator[Instance]:
    """A Casebook that has seen so many events."""
    with instance(folder) as casebook:
        fill(casebook, events)
        yield casebook


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analytics", description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=5, help="of each turn with events")
    parser.add_argument("--events", type=int, default=10_000_000, help="behind the answers")
    parser.add_argument("--data", type=Path, help="where to keep what the answers are over")
    options = parser.parse_args()
    if options.rate:
        with instance() as casebook:
            measure_recording(casebook, options.rate, options.seconds)
    if options.events:
        with filled(options.events, options.data) as casebook:
            print(f"answers over {options.events:,} events, each computed anew")
            measure_answers(casebook)
            measure_met(casebook)


if __name__ == "__main__":
    main()
