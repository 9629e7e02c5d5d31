"""Events in numbers, and answers over many of them: `python -m benchmarks.analytics`.

Against a whole Casebook. First twenty searches a second alone, then beside batches of 500 events,
as the shim sends them, at a steady pace; then batches as fast as they are taken up. Last, answers
over HTTP from the roll-ups of so many events: those are made in PostgreSQL directly, as roll-ups
would have made them over 90 days, without the events themselves.
"""

import argparse
import random
import statistics
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx
import orjson
import psycopg

from actors import analytics
from actors.broker.broker import StreamsBroker
from actors.queues import producer_broker
from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.neighbours import importing, report, search
from contracts.analytics import BATCH_MAX, Event, EventKind
from pipelines.events import id_at

TIMES = 60  # askings of each answer
DAYS = 90
ENTRIES = 20_000  # of those whose roll-ups are made
WORDS = 4_000  # different queries of the events that are sent

#: %(day)s queries a day, as often asked as words are used (Zipf), each day a little different.
FILL = (
    "select pg_advisory_xact_lock(hashtext('casebook roll-up'))",
    """
truncate event_batches, event_hours, event_days, search_latency, search_latency_days,
query_days, entry_days, entry_usage, entry_counts
""",
    """
insert into entries (
    id, title, problem, solution, category, severity, tags, custom, digest, text_digest,
    created_by, updated_by, external_id, source, created_at, updated_at
)
select
    uuid_at(now() - n * interval '1 minute' - interval '200 days'), 'entry ' || n, '', '',
    (array['VSAM', 'DB2', 'CICS', 'IMS', 'JCL', 'Batch', 'COBOL', 'Security', 'Network', 'System',
    'Other'])[1 + n %% 11], 'low', array['tag ' || n %% 50], '{}', gen_random_uuid(),
    gen_random_uuid(), '', '', n::text, 'made', now() - interval '200 days',
    now() - n %% 400 * interval '1 day'
from generate_series(1, %(entries)s) as n
""",
    """
insert into query_days (day, query, searches, empty, clicked, ranked, reciprocal, took_ms)
select
    current_date - d, 'query number ' || (n + d * 7 %% 500), s,
    case when n %% 9 = 0 then s else 0 end,
    case when n %% 9 > 3 then s / 2 else 0 end, s / 2, s / 4.0, s * 4
from generate_series(0, %(days)s - 1) as d,
generate_series(1, 20000) as n,
lateral (select greatest(1, (0.06 * %(day)s / n)::integer) as s) as t
""",
    """
insert into event_hours (metric, hour, category, value)
select m, date_trunc('hour', now()) - h * interval '1 hour', c, 1 + %(day)s / 24 / 11 * random()
from unnest(array['searches', 'empty', 'clicked', 'ranked', 'reciprocal', 'took_ms', 'viewed',
    'copied', 'taken', 'exported', 'ratings', 'rating_sum', 'worked', 'failed', 'created', 'updated'
]) as m, generate_series(0, %(days)s * 24 - 1) as h,
unnest(array['', '(none)', 'VSAM', 'DB2', 'CICS', 'IMS', 'JCL', 'Batch', 'COBOL', 'Security',
    'Network', 'System', 'Other']) as c
order by h  -- as time lays it down
""",
    """
insert into event_days (metric, day, category, value)
select metric, (hour at time zone 'UTC')::date, category, sum(value)
from event_hours
group by 1, 2, 3
""",
    """
insert into search_latency (hour, bucket, searches)
select date_trunc('hour', now()) - h * interval '1 hour', b, 1 + (%(day)s / 24 / 40)
from generate_series(0, %(days)s * 24 - 1) as h, generate_series(0, 40) as b
""",
    """
insert into search_latency_days (day, bucket, searches)
select (hour at time zone 'UTC')::date, bucket, sum(searches) from search_latency group by 1, 2
""",
    """
insert into entry_days (
    entry_id, day, shown, viewed, copied, taken, exported, worked, failed, ratings, rating_sum
)
select
    e.id, current_date - d, v * 8, v, v / 3, 0, 0, v / 9, v / 30, v / 12, v / 3
from generate_series(0, %(days)s - 1) as d,
(select id, row_number() over () as n from entries where source = 'made') as e,
lateral (select (0.03 * %(day)s / (1 + (e.n * 7919 + d * 31) %% 20000))::integer as v) as t
where v > 0
""",
    """
insert into entry_usage (entry_id, usage, success, failure, last_used_at)
select entry_id, sum(used), sum(worked), sum(failed), max(day)
from entry_days group by 1
""",
    """
insert into entry_counts values (current_date, %(entries)s, 0)
on conflict (day) do update set live = excluded.live
""",
)


def batch(number: int) -> bytes:
    """A batch of 500 events of this moment: searches with ten hits, and what follows from them."""
    chance, now = random.Random(number), datetime.now(UTC)
    events = []
    for _ in range(BATCH_MAX):
        text = f"query number {int(chance.paretovariate(0.9)) % WORDS}"
        fields = {"query": text, "normalised": text, "total": 40, "took_ms": 3.5}
        hits = tuple(str(UUID(int=chance.getrandbits(128))) for _ in range(10))
        kind = EventKind.SEARCHED if chance.random() < 0.6 else EventKind.VIEWED
        more = (
            {**fields, "hits": hits} if kind is EventKind.SEARCHED else {"entry_id": UUID(hits[0])}
        )
        events.append(Event(id=id_at(now), kind=kind, who=UUID(hits[1]), **more))
    return (
        b"[" + b",".join(one.model_dump_json(exclude_none=True).encode() for one in events) + b"]"
    )


def servers(casebook: Instance) -> dict[str, str]:
    """The URLs of its PostgreSQL and Valkey."""
    found: dict[str, str] = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    return found


def send(broker: StreamsBroker, body: bytes) -> None:
    """Enqueue one batch."""
    broker.enqueue(analytics.record.message({"events": orjson.Fragment(body)}))


def pace(broker: StreamsBroker, rate: int, bodies: list[bytes]) -> None:
    """Send so many events a second, to the end of the bodies."""
    start = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, start + number * BATCH_MAX / rate - time.perf_counter()))
        send(broker, body)


def recorded(url: str) -> int:
    """Events in the database."""
    with psycopg.connect(url) as session:
        row = session.execute("select count(*) from events").fetchone()
    return int(row[0]) if row else 0


def until_recorded(broker: StreamsBroker, url: str, count: int, limit: float = 120.0) -> float:
    """Seconds until the queue is empty and so many events are there, looked at every 20 ms."""
    start = time.perf_counter()
    while broker.depth("analytics")["waiting"] > 1 or recorded(url) < count:
        if time.perf_counter() - start > limit:
            raise TimeoutError(f"{recorded(url)} of {count} events after {limit:.0f} s")
        time.sleep(0.02)
    return time.perf_counter() - start


def measure_recording(casebook: Instance, rate: int, seconds: int) -> None:
    """Searches alone and beside events; then how fast events are taken up at most."""
    texts = corpus.queries(None)
    with TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "made.ndjson.gz"
        corpus.make(file)
        importing(casebook, file, "made").wait()
    broker = producer_broker(servers(casebook)["redis_url"], "benchmark")
    database = servers(casebook)["database_url"]
    bodies = [batch(n) for n in range(seconds * rate // BATCH_MAX)]
    ended = threading.Event()
    threading.Timer(seconds, ended.set).start()
    alone = report("alone", search(casebook, texts, ended))
    before = recorded(database)
    ended.clear()
    threading.Thread(target=lambda: (pace(broker, rate, bodies), ended.set())).start()
    beside = report("beside events", search(casebook, texts, ended))
    count = len(bodies) * BATCH_MAX
    late = until_recorded(broker, database, before + count)
    print(f"ratio of p99   {beside / alone:.2f}")
    print(f"{count:,} events at {rate:,}/s; the last was kept {late:.2f} s late")
    bodies = [batch(n) for n in range(10_000, 10_200)]
    before, start = recorded(database), time.perf_counter()
    for body in bodies:
        send(broker, body)
    until_recorded(broker, database, before + len(bodies) * BATCH_MAX)
    taken = time.perf_counter() - start
    print(f"at full speed  {len(bodies) * BATCH_MAX / taken:,.0f} events/s by one worker process")


def measure_answers(casebook: Instance, events: int) -> None:
    """Each answer, from roll-ups of so many events."""
    with psycopg.connect(servers(casebook)["database_url"]) as session:
        for statement in FILL:
            values = {"day": events // DAYS, "days": DAYS, "entries": ENTRIES}
            session.execute(statement.encode(), values if "%(" in statement else None)
    with psycopg.connect(servers(casebook)["database_url"], autocommit=True) as session:
        session.execute("vacuum analyze")
    today = datetime.now(UTC)
    quarter = {"since": (today - timedelta(days=DAYS)).isoformat()}
    questions = {
        "dashboard": ("dashboard", {}),
        "dashboard, 90 days": ("dashboard", quarter),
        "dashboard, another zone": ("dashboard", {"zone": "Europe/Berlin"}),
        "dashboard, one category": ("dashboard", {"category": "VSAM"}),
        "dashboard, category, 90 days": ("dashboard", {"category": "VSAM", **quarter}),
        "dashboard, zone, 90 days": ("dashboard", {"zone": "Europe/Berlin", **quarter}),
        **{
            f"queries {one}": ("queries", {"list": one})
            for one in ("popular", "rising", "unanswered", "unclicked")
        },
        **{
            f"entries {one}": ("entries", {"list": one})
            for one in ("popular", "best", "unfound", "stale")
        },
        "latency": ("latency", {}),
        "activity": ("activity", {}),
        "searches by category": ("report", {"metric": "searches", "by": "category"}),
        "use by tag": ("report", {"metric": "used", "by": "tag"}),
        "searches by query": ("report", {"metric": "searches", "by": "query"}),
    }
    headers = {"Authorization": f"Bearer {casebook.key}"}
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for name, (path, wanted) in questions.items():
            taken = []
            for _ in range(TIMES):
                start = time.perf_counter()
                http.get(f"/v1/analytics/{path}", params=wanted).raise_for_status()
                taken.append((time.perf_counter() - start) * 1000)
            p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
            print(f"  {name:28} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analytics", description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--events", type=int, default=10_000_000, help="behind the answers")
    options = parser.parse_args()
    with instance() as casebook:
        if options.rate:
            measure_recording(casebook, options.rate, options.seconds)
        if options.events:
            print(f"answers from the roll-ups of {options.events:,} events")
            measure_answers(casebook, options.events)


if __name__ == "__main__":
    main()
