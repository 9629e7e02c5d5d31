"""The alerts' rules over samples that were made for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest

from actors.alerting.rules import RULES, holding
from actors.alerting.samples import Sample, _counts, increase
from actors.metrics.meters import Meters

START = datetime(2026, 1, 1, tzinfo=UTC)
WELL = {"connections": 10, "connections_max": 97, "dead": 0, "behind_seconds": 0.0}


def samples(*numbers: dict[str, Any], every: float = 15.0) -> list[Sample]:
    """Samples `every` so many seconds, the last of them now."""
    return [
        Sample(START + n * timedelta(seconds=every), {**WELL, **one})
        for n, one in enumerate(numbers)
    ]


def shim(total: float, failed: float = 0, searches: float = 0, slow: float = 0) -> dict[str, Any]:
    """What one shim has answered."""
    counts = {"all": total, "failed": failed, "searches": searches, "slow": slow}
    return {"requests": {"shim-0": counts}}


def cached(cacheable: float, computed: float = 0) -> dict[str, Any]:
    """One shim's answers that may be kept, and those of them that were computed."""
    counts = {"all": cacheable, "cacheable": cacheable, "computed": computed}
    return {"requests": {"shim-0": counts}}


def names(found: list[Sample]) -> set[str]:
    """The rules that hold."""
    return {one.rule.name for one in holding(found)}


@pytest.mark.parametrize(
    ("numbers", "rule"),
    [
        ([shim(0), shim(1000, failed=11)], "CasebookErrorRate"),
        ([shim(0), shim(1000, failed=51)], "CasebookErrorRateHigh"),
        ([shim(0), shim(100, searches=100, slow=6)], "CasebookSearchesSlow"),
        ([cached(0), cached(1000, computed=201)], "CasebookCacheMisses"),
        ([{"connections": 78}], "CasebookConnectionsHigh"),
        ([{"oldest": {"search": 61.0}}], "CasebookMessageOld"),
        ([{"unread": {"imports": 1}}], "CasebookQueueUnread"),
        ([{"dead": 7}, {"dead": 8}], "CasebookDeadLetters"),
        ([{"behind_seconds": 31.0}], "CasebookIndexBehind"),
        ([{"feed_held_seconds": 61.0}], "CasebookFeedHeld"),
        ([{"disk_used": 0.91}], "CasebookDiskLow"),
    ],
)
def test_each_rule_holds_above_its_threshold(numbers: list[dict[str, Any]], rule: str) -> None:
    """And says so in words that the value is part of."""
    found = samples(*numbers)
    assert rule in names(found)
    (one,) = [one for one in holding(found) if one.rule.name == rule]
    assert "{" not in one.message


def test_every_rule_is_tested() -> None:
    """A new rule comes with a case above."""
    marks = test_each_rule_holds_above_its_threshold.pytestmark  # type: ignore[attr-defined]  # the decorator's
    assert {case[1] for case in marks[0].args[1]} == {rule.name for rule in RULES}


def test_one_message_is_no_messages() -> None:
    """What is said fits how many there are."""
    (one,) = holding(samples({"dead": 0}, {"dead": 1}))
    assert one.message.startswith("1 message died")
    (two,) = holding(samples({"dead": 0}, {"dead": 2}))
    assert two.message.startswith("2 messages died")


def test_a_node_is_judged_by_its_own_samples() -> None:
    """What all share is judged by everyone's; a node that has just come has seen nothing rise."""
    found = samples({"dead": 0}, {"dead": 1, "disk_used": 0.95}, {"dead": 1, "disk_used": 0.1})
    a, b = (found[0]._replace(node="a"), found[1]._replace(node="a")), found[2]._replace(node="b")
    assert [(one.rule.name, one.subject) for one in holding([*a, b], "a")] == [
        ("CasebookDeadLetters", ""),
        ("CasebookDiskLow", "a"),
    ]
    assert [one.rule.name for one in holding([*a, b], "b")] == ["CasebookDeadLetters"]


def test_nodes_that_saw_a_letter_in_another_order_saw_none_rise() -> None:
    """One was discarded; a sample from before that was kept after one from later."""
    found = samples({"dead": 1}, {"dead": 0}, {"dead": 1}, {"dead": 0})
    found = [one._replace(node=node) for one, node in zip(found, "bbaa", strict=True)]
    assert holding(found, "a") == []


def test_when_all_is_well_nothing_holds() -> None:
    """Nor where there are no numbers at all yet."""
    assert names(samples(shim(0), shim(1000, failed=9, searches=100, slow=5))) == set()
    assert names(samples(cached(0), cached(1000, computed=200))) == set()
    assert holding([Sample(START, {})]) == []


def test_few_requests_are_no_rate() -> None:
    """One failure in the night pages nobody."""
    assert names(samples(shim(0), shim(10, failed=10))) == set()
    assert names(samples(cached(0), cached(999, computed=999))) == set()


def test_a_release_that_knew_fewer_counts_is_no_flood() -> None:
    """A sample from before an update has no such count: what it is now did not happen just now."""
    before, after = shim(5000), cached(6000, computed=6000)
    after["requests"]["shim-0"] |= {"failed": 0, "searches": 0, "slow": 0}
    updated = samples(before, after)
    assert increase(updated, "all") == 1000
    assert increase(updated, "computed") == 0
    assert names(updated) == set()


def test_a_restart_of_the_shim_is_no_drop_and_no_flood() -> None:
    """Its counts begin anew at 0; one that is new here may be older than the samples."""
    restarted = samples(shim(5000, 100), shim(40, 1), shim(90, 2))
    assert increase(restarted, "all") == 90
    appeared = samples({}, shim(100_000, failed=90_000), shim(100_100, failed=90_000))
    assert increase(appeared, "all") == 100
    assert names(appeared) == set()


def test_what_is_long_past_does_not_count() -> None:
    """Shares are of five minutes."""
    since = [shim(2000, failed=1000)] * 2
    long_ago = samples(shim(0), shim(1000, failed=1000), *since, every=301)
    assert names(long_ago) == set()


def test_answers_are_counted_by_whether_they_were_computed() -> None:
    """As a shim shows them: what a layer of the cache had cost nobody anything."""
    meters = Meters()
    for source in ("hot", "hot", "warm", "miss", "stale"):
        meters.gave(source)
    counts = _counts(generate_latest(meters.registry).decode())
    assert (counts["cacheable"], counts["computed"]) == (5, 2)
