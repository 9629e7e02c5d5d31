"""When somebody has to know. deploy/prometheus/alerts.yml says the same to Prometheus.

A rule looks at a node's samples, oldest first, and gives a value for each subject; above its
threshold for `hold` seconds it fires.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from actors.alerting.samples import Sample, increase, within

Values = Mapping[str, float]

PERIOD = 300.0  # seconds over which shares are counted
RISING = 600.0  # seconds within which new dead letters are told
FEWEST = 20  # requests: of fewer, one failure is no rate
MANY = 1_000  # answers: of fewer, most are asked for once


@dataclass(frozen=True)
class Rule:
    """`about` is a message with `{value}`, `{threshold}` and `{subject}`; it says what to do."""

    name: str
    severity: Literal["warning", "page"]
    threshold: float
    hold: float
    about: str
    values: Callable[[Sequence[Sample]], Values]


@dataclass(frozen=True)
class Holding:
    """A rule that holds now."""

    rule: Rule
    subject: str
    value: float

    @property
    def message(self) -> str:
        """What is said."""
        return self.rule.about.format(
            value=self.value, threshold=self.rule.threshold, subject=self.subject
        )


def holding(samples: Sequence[Sample]) -> list[Holding]:
    """The rules that hold as of the last sample."""
    return [
        Holding(rule, subject, value)
        for rule in RULES
        for subject, value in rule.values(samples).items()
        if value > rule.threshold
    ]


def _share(part: str, whole: str, fewest: int = FEWEST) -> Callable[[Sequence[Sample]], Values]:
    def values(samples: Sequence[Sample]) -> Values:
        recent = within(samples, PERIOD)
        total = increase(recent, whole)
        return {"": increase(recent, part) / total} if total >= fewest else {}

    return values


def _last(name: str) -> Callable[[Sequence[Sample]], Values]:
    def values(samples: Sequence[Sample]) -> Values:
        value = samples[-1].numbers.get(name)
        return {} if value is None else {"": float(value)}

    return values


def _each(name: str) -> Callable[[Sequence[Sample]], Values]:
    def values(samples: Sequence[Sample]) -> Values:
        found = samples[-1].numbers.get(name) or {}
        return {subject: float(value) for subject, value in found.items()}

    return values


def _connections(samples: Sequence[Sample]) -> Values:
    last = samples[-1].numbers
    return {"": last["connections"] / last["connections_max"]} if "connections" in last else {}


def _new_dead(samples: Sequence[Sample]) -> Values:
    dead = [one.numbers.get("dead", 0) for one in within(samples, RISING)]
    rises = (later - earlier for earlier, later in pairwise(dead))
    return {"": float(sum(rise for rise in rises if rise > 0))}


RULES: tuple[Rule, ...] = (
    Rule(
        *("CasebookErrorRate", "warning", 0.01, 60),
        "{value:.1%} of requests failed within 5 minutes: `casebook errors` shows with what.",
        _share("failed", "all"),
    ),
    Rule(
        *("CasebookErrorRateHigh", "page", 0.05, 60),
        "{value:.1%} of requests failed within 5 minutes: `casebook errors` shows with what.",
        _share("failed", "all"),
    ),
    Rule(
        *("CasebookSearchesSlow", "warning", 0.05, 60),
        "{value:.0%} of searches took longer than 2 s: look at CPU and `casebook queues`.",
        _share("slow", "searches"),
    ),
    Rule(
        *("CasebookCacheMisses", "warning", 0.2, 900),
        "{value:.0%} of answers had to be computed: is the cache away or too small? "
        "`casebook doctor`, casebook_cache_evictions_total.",
        _share("computed", "cacheable", MANY),
    ),
    Rule(
        *("CasebookConnectionsHigh", "warning", 0.8, 60),
        "{value:.0%} of PostgreSQL's connections are taken: who has them is in pg_stat_activity.",
        _connections,
    ),
    Rule(
        *("CasebookMessageOld", "warning", 60, 30),
        "The oldest message of {subject} is {value:.0f} s old: `casebook queues`.",
        _each("oldest"),
    ),
    Rule(
        *("CasebookQueueUnread", "page", 0, 30),
        "Nobody reads {subject}, and {value:.0f} messages wait: start its workers.",
        _each("unread"),
    ),
    Rule(
        *("CasebookDeadLetters", "warning", 0, 0),
        "{value:.0f} messages died within 10 minutes: `casebook dead groups`.",
        _new_dead,
    ),
    Rule(
        *("CasebookIndexBehind", "warning", 30, 30),
        "Searches see the state of {value:.0f} s ago: `casebook doctor`.",
        _last("behind_seconds"),
    ),
    Rule(
        *("CasebookFeedHeld", "warning", 60, 0),
        "A transaction of {value:.0f} s holds the index back: end it (pg_stat_activity).",
        _last("feed_held_seconds"),
    ),
    Rule(
        *("CasebookDiskLow", "page", 0.9, 60),
        "The data folder's disk is {value:.0%} full: free some space.",
        _last("disk_used"),
    ),
)
