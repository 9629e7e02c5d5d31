"""How PostgreSQL answers from roll-ups of many days: it reads what the answer is made of."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from deploy.postgres import EmbeddedPostgres
from storage.postgres.statements import statement
from tests.integration.storage.test_letter_plans import nodes
from tests.support.copies import of_database

DAYS, ENTRIES = 60, 400
UNTIL = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
LAST = date(UNTIL.year, UNTIL.month, UNTIL.day)

FILL = f"""
insert into entries (
    id, title, problem, solution, category, severity, tags, custom, digest, text_digest,
    created_by, updated_by, external_id, source, updated_at
)
select
    uuid_at(now() - n * interval '1 minute'), '', '', '', 'category ' || n % 20, 'low',
    '{{}}', '{{}}', gen_random_uuid(), gen_random_uuid(), '', '', n::text, 's',
    now() - n * interval '1 day'
from generate_series(1, {10 * ENTRIES}) as n;

insert into event_hours (metric, hour, category, value)
select m, date_trunc('hour', now()) - h * interval '1 hour', c, 1 + h % 7
from generate_series(0, {DAYS} * 24) as h, unnest(array['searches', 'empty', 'viewed']) as m,
unnest(array['', 'category 1', 'category 2', 'category 3']) as c;

insert into event_days (metric, day, category, value)
select metric, (hour at time zone 'UTC')::date, category, sum(value)
from event_hours group by 1, 2, 3;

insert into entry_days (
    entry_id, day, category, shown, viewed, copied, taken, exported, worked, failed, ratings,
    rating_sum
)
select e.id, current_date - d, e.category, 9, 1, 0, 0, 0, (d % 30 = 0)::integer, 0, 0, 0
from generate_series(0, {DAYS}) as d, entries as e
where e.external_id::integer <= {ENTRIES};

insert into entry_usage (entry_id, usage)
select id, external_id::integer from entries where external_id::integer % 2 = 0;
analyze;
"""


@pytest.fixture(scope="module")
def filled(shared_postgres: EmbeddedPostgres) -> str:
    """Roll-ups of many days; the URL of their database."""
    name = f"rolled_{uuid4().hex[:8]}"
    with psycopg.connect(shared_postgres.url, autocommit=True) as session:
        session.execute(f"create database {name} template template_casebook".encode())
    url = of_database(shared_postgres.url, name)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(FILL.encode())
        session.execute("vacuum")
    return url


#: Statement, its conditions and parameters; the tables that it may not scan, and the most rows that
#: it may read.
ASKED: dict[str, tuple[str, tuple[str, ...], dict[str, Any], int]] = {
    "a quarter of hours is days, but for its ends": (
        "analytics_answers.totals",
        ("all",),
        {
            "metrics": ["searches", "empty"],
            "since": UNTIL - timedelta(days=40, hours=5),
            "head_end": UNTIL - timedelta(days=40),
            "first_day": LAST - timedelta(days=40),
            "end_day": LAST,
            "tail": UNTIL - timedelta(hours=3),
            "until": UNTIL,
        },
        2 * (5 + 40 + 3),
    ),
    "hours are read from the covering index": (
        "analytics_answers.over_time",
        ("all",),
        {
            "metrics": ["searches"],
            "since": UNTIL - timedelta(days=20),
            "until": UNTIL,
            "daily": False,
            "by": "hour",
            "zone": "Europe/Berlin",
            "shape": "YYYY-MM-DD HH24:MI",
        },
        20 * 24,
    ),
    "days of another zone are days of UTC, and the hours between": (
        "analytics_answers.over_days_of_zone",
        ("all",),
        {
            "metrics": ["searches"],
            "since": UNTIL - timedelta(days=20),
            "until": UNTIL,
            "by": "day",
            "step": "1 day",
            "zone": "Europe/Berlin",
            "shape": "YYYY-MM-DD",
        },
        # The ends may be half a day off.
        2 * 12 + 20 * (1 + 2) + 2,
    ),
    "a category's entries are looked up, not all of all days": (
        "analytics_lists.likely_used_of_category",
        ("of_category",),
        {
            "category": "category 3",
            "first": LAST - timedelta(days=30),
            "last": LAST,
            "likely": 10,
            "depth": 5,
        },
        5 * 31,
    ),
    "a tag's entries are looked up, not all of all days": (
        "analytics_lists.used_among",
        ("of_category",),
        {"category": "category 3", "first": LAST - timedelta(days=30), "last": LAST, "likely": 10},
        ENTRIES // 20 * 31,
    ),
    "the best are found among the days with a rating": (
        "analytics_lists.best",
        (),
        {"first": LAST - timedelta(days=DAYS), "last": LAST, "limit": 10},
        ENTRIES * (DAYS // 30 + 1),
    ),
    "stale entries are read in their order": ("analytics_lists.stale", (), {"limit": 10}, 250),
}
ROLLED_UP = ("event_hours", "event_days", "entry_days", "entry_usage")


@pytest.mark.parametrize("name", ASKED)
def test_no_more_is_read_than_the_answer_needs(filled: str, name: str) -> None:
    """Rows are read by an index, and few of them are thrown away."""
    asked, where, parameters, most = ASKED[name]
    with psycopg.connect(filled) as session:
        explain = b"explain (analyze, timing off, format json) " + statement(asked, where)
        row = session.execute(explain, parameters).fetchone()
    assert row is not None
    looked_at = [
        node
        for node in nodes(row[0][0]["Plan"])
        if node.get("Relation Name") in ROLLED_UP and node["Actual Loops"]
    ]
    assert looked_at
    assert not [node for node in looked_at if node["Node Type"] == "Seq Scan"]
    read = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in looked_at
    )
    assert read <= most


@pytest.mark.parametrize("by", ["day", "week", "month"])
@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Kiritimati"],
)
@pytest.mark.parametrize("where", ["all", "category"])
def test_days_of_a_zone_are_those_that_its_hours_add_up_to(
    filled: str, zone: str, by: str, where: str
) -> None:
    """Whatever lies between its midnight and that of UTC, and where the clocks change."""
    given = {
        **{"metrics": ["searches", "empty"], "by": by, "step": f"1 {by}", "zone": zone},
        **{"since": UNTIL - timedelta(days=50, hours=7), "until": UNTIL, "daily": False},
        **{"shape": "YYYY-MM-DD", "category": "category 2"},
    }
    with psycopg.connect(filled) as session:
        quick, plain = (
            sorted(session.execute(statement(f"analytics_answers.{name}", (where,)), given))
            for name in ("over_days_of_zone", "over_time")
        )
    assert quick == plain
    assert len(plain) >= 4
