"""A period in parts: whole days of UTC, and hours at its ends."""

from datetime import UTC, date, datetime, timedelta

import pytest

from actors.analytics_span import span
from contracts.analytics_answers import Period

HOUR = timedelta(hours=1)


def moment(day: int, hour: int = 0) -> datetime:
    """An hour of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (moment(1), moment(3), 2),
        (moment(1, 5), moment(3, 7), 1),
        (moment(1, 5), moment(2), 0),
        (moment(1), moment(1, 7), 0),
        (moment(1, 5), moment(1, 7), 0),
        (moment(1, 23), moment(2, 1), 0),
        (moment(1, 23), moment(20, 1), 18),
    ],
)
def test_the_parts_are_the_whole(since: datetime, until: datetime, days: int) -> None:
    """Each hour of the period is in exactly one part, and no other is."""
    parts = span(Period(since=since, until=until), zone="Europe/Berlin").parts
    assert (parts["end_day"] - parts["first_day"]).days == days
    hours = [since + n * HOUR for n in range(-30, (until - since) // HOUR + 30)]
    in_parts = [
        (parts["since"] <= hour < parts["head_end"])
        + (parts["first_day"] <= hour.date() < parts["end_day"])
        + (parts["tail"] <= hour < parts["until"])
        for hour in hours
    ]
    assert in_parts == [int(since <= hour < until) for hour in hours]


def test_long_periods_in_utc_have_no_hours() -> None:
    """They are rounded to days, which then are all there is to read."""
    asked = span(Period(since=moment(1, 5), until=moment(20, 7)))
    assert (asked.parts["first_day"], asked.parts["end_day"]) == (
        date(2026, 3, 1),
        date(2026, 3, 21),
    )
    assert asked.parts["since"] == asked.parts["head_end"]
    assert asked.parts["tail"] == asked.parts["until"]
