"""Dead letters in numbers: pages of a million, and a replay: `python -m benchmarks.dead_letters`.

Against a whole Casebook, over HTTP. The letters are made in PostgreSQL directly, as archiving
would have made them over months.
"""

import argparse
import statistics
import time
from datetime import datetime

import httpx
import orjson
import psycopg

from benchmarks.instance import Instance, instance

PAGES = 40  # askings of each page

#: Letters of many kinds, a second apart; the newest died now.
FILL = """
insert into dead_letters (
    id, message_id, queue, actor, body, readable, size, reason, error, message, attempts, report,
    deliveries, operation_id, first_failed_at, failed_at, replays
)
select
    gen_random_uuid(), n::text, 'queue-' || n %% 7, 'actor.' || n %% 50, convert_to('{}', 'UTF8'),
    true, 2, (array['failed', 'refused', 'poison', 'invalid'])[1 + n %% 4], 'Error' || n %% 30,
    'number ' || n, '[]', '{}', 6, n::text, now() - n * interval '1 second',
    now() - n * interval '1 second', 0
from generate_series(1, %s) as n
"""

#: Letters of entries that could not be stored and can be now.
STORABLE = """
insert into dead_letters (
    id, message_id, queue, actor, body, readable, size, reason, error, message, attempts, report,
    deliveries, operation_id, first_failed_at, failed_at, replays
)
select
    gen_random_uuid(), n::text, 'entries', 'entries.create',
    convert_to(
        jsonb_build_object(
            'queue_name', 'entries', 'actor_name', 'entries.create', 'kwargs', '{}'::jsonb,
            'options', '{}'::jsonb, 'message_id', n::text, 'message_timestamp', 1,
            'args', jsonb_build_array(jsonb_build_object(
                'key', 'replayed ' || n, 'entry', jsonb_build_object('title', 'entry ' || n)
            ))
        )::text, 'UTF8'
    ),
    true, 200, 'failed', 'OperationalError', '', '[]', '{}', 6, n::text, now(), now(), 0
from generate_series(1, %s) as n
"""

FILTERS = (
    {},
    {"actor": "actor.7"},
    {"queue": "queue-3"},
    {"reason": "poison"},
    {"error": "Error11"},
    {"actor": "actor.7", "reason": "invalid"},
)


def measure_pages(casebook: Instance, count: int) -> None:
    """The first page of `count` letters, with each filter."""
    fill(casebook, FILL, count)
    with client(casebook) as http:
        for wanted in FILTERS:
            taken = []
            for _ in range(PAGES):
                start = time.perf_counter()
                answer = http.get("/v1/dead-letters", params=wanted)
                taken.append((time.perf_counter() - start) * 1000)
                assert len(answer.json()["letters"]) == 50, answer.text
            taken.sort()
            name = " ".join(f"{k}={v}" for k, v in wanted.items()) or "no filter"
            print(
                f"  {name:32} p50 {statistics.median(taken):6.1f} ms, "
                f"p95 {taken[int(0.95 * PAGES)]:6.1f} ms"
            )
        for path in ("count", "groups"):
            start = time.perf_counter()
            http.get(f"/v1/dead-letters/{path}").raise_for_status()
            print(f"  {path:32} {(time.perf_counter() - start) * 1000:6.0f} ms")


def measure_replay(casebook: Instance, count: int) -> None:
    """How fast letters go back into their queue, and until all they ask for is done."""
    fill(casebook, STORABLE, count)
    with client(casebook) as http:
        start = time.monotonic()
        started = http.post("/v1/dead-letters/replay", json={"actor": "entries.create"})
        assert started.json()["count"] == count, started.text
        frozen = time.monotonic() - start
        task = wait(http, started.json()["task"])
        moved = seconds(task)
        print(
            f"  frozen in {frozen:.2f} s, moved {count:,} in {moved:.2f} s: {count / moved:,.0f}/s"
        )
    while stored(casebook) < count:
        time.sleep(0.05)
    whole = time.monotonic() - start
    print(f"  all {count:,} entries stored after {whole:.1f} s: {count / whole:,.0f}/s")


def wait(http: httpx.Client, task: str) -> dict[str, str]:
    """The task when it has ended well."""
    while True:
        found: dict[str, str] = http.get(f"/v1/tasks/{task}").json()
        if found["status"] == "succeeded":
            return found
        assert found["status"] in ("enqueued", "processing"), found
        time.sleep(0.05)


def seconds(task: dict[str, str]) -> float:
    """From its first message to its end, on PostgreSQL's clock."""
    ends = [datetime.fromisoformat(task[name]) for name in ("enqueued_at", "finished_at")]
    return (ends[1] - ends[0]).total_seconds()


def fill(casebook: Instance, sql: str, count: int) -> None:
    """Make letters."""
    with connect(casebook) as session:
        session.execute("truncate dead_letters")
        session.execute(sql.encode(), [count])
        session.execute("vacuum analyze dead_letters")


def stored(casebook: Instance) -> int:
    """Entries in PostgreSQL."""
    with connect(casebook) as session:
        row = session.execute("select count(*) from entries").fetchone()
        assert row is not None
        return int(row[0])


def connect(casebook: Instance) -> psycopg.Connection[tuple[object, ...]]:
    """PostgreSQL itself."""
    url = orjson.loads((casebook.data / "endpoints.json").read_bytes())["database_url"]
    return psycopg.connect(url, autocommit=True)


def client(casebook: Instance) -> httpx.Client:
    """HTTP with the first key."""
    headers = {"Authorization": f"Bearer {casebook.key}"}
    return httpx.Client(base_url=casebook.url, headers=headers, timeout=120)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dead_letters", description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--replayed", type=int, default=10_000, help="(%(default)s)")
    options = parser.parse_args()
    with instance() as casebook:
        print(f"the first page of {options.letters:,} letters, over HTTP:")
        measure_pages(casebook, options.letters)
        print(f"a replay of {options.replayed:,} letters, while their messages are worked off:")
        measure_replay(casebook, options.replayed)


if __name__ == "__main__":
    main()
