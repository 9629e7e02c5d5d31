"""When somebody has to know. deploy/prometheus/alerts.yml says the same to Prometheus.

A rule looks at samples, oldest first, and gives a value for each subject; above its threshold for
`hold` seconds it fires. Rules of a node look at its own samples, and it is their subject; the
others look at those of all nodes, each of which sees the same servers.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from actors.alerting.samples import Sample, increase, within

Values = Mapping[str, float]

PERIOD = 300.0  # seconds over which shares are counted
RISING = 600.0  # seconds within which new dead letters are told
FEWEST = 20  # requests: of fewer, one failure is no rate
MANY = 1_000  # answers: of fewer, most are asked for once


@dataclass(frozen=True)
class Rule:
    """`about` says what to do; of `{value}`, `{messages}` (so many), `{threshold}`, `{subject}`."""

    name: str
    severity: Literal["warning", "page"]
    threshold: float
    hold: float
    about: str
    values: Callable[[Sequence[Sample]], Values]
    of_node: bool = False


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
            value=self.value,
            messages=f"{self.value:.0f} message{'' if round(self.value) == 1 else 's'}",
            threshold=self.rule.threshold,
            subject=self.subject,
        )


def holding(samples: Sequence[Sample], node: str = "") -> list[Holding]:
    """The rules that hold as of the last sample: those of this node and those of the system."""
    own = [one for one in samples if one.node == node]
    return [
        Holding(rule, node if rule.of_node else subject, value)
        for rule in RULES
        for subject, value in rule.values(own if rule.of_node else samples).items()
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
    """By what each node saw one after the other: two may have looked in another order."""
    risen: Counter[str] = Counter()
    before: dict[str, int] = {}
    for one in within(samples, RISING):
        dead = one.numbers.get("dead", 0)
        risen[one.node] += max(0, dead - before.get(one.node, dead))
        before[one.node] = dead
    return {"": float(max(risen.values()))}


RULES: tuple[Rule, ...] = (
    Rule(
        *("CasebookErrorRate", "warning", 0.01, 60),
        "{value:.1%} of requests failed within 5 minutes: `casebook errors` shows with what.",
        _share("failed", "all"),
        of_node=True,
    ),
    Rule(
        *("CasebookErrorRateHigh", "page", 0.05, 60),
        "{value:.1%} of requests failed within 5 minutes: `casebook errors` shows with what.",
        _share("failed", "all"),
        of_node=True,
    ),
    Rule(
        *("CasebookSearchesSlow", "warning", 0.05, 60),
        "{value:.0%} of searches took longer than 2 s: look at CPU and `casebook queues`.",
        _share("slow", "searches"),
        of_node=True,
    ),
    Rule(
        *("CasebookCacheMisses", "warning", 0.2, 900),
        "{value:.0%} of answers had to be computed: is the cache away or too small? "
        "`casebook doctor`, casebook_cache_evictions_total.",
        _share("computed", "cacheable", MANY),
        of_node=True,
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
        "Nobody reads {subject}, with {messages} in it: start its workers.",
        _each("unread"),
    ),
    Rule(
        *("CasebookDeadLetters", "warning", 0, 0),
        "{messages} died within 10 minutes: `casebook dead groups`.",
        _new_dead,
    ),
    Rule(
        *("CasebookIndexBehind", "warning", 30, 30),
        "Searches see the state of {value:.0f} s ago: `casebook doctor`.",
        _last("behind_seconds"),
        of_node=True,
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
        of_node=True,
    ),
)
