"""The one table at the end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.storm.journal import Round


@dataclass
class Totals:
    """What all seeds together have seen."""

    rounds: list[Round] = field(default_factory=list)
    acknowledged: int = 0
    rows: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    seeds: list[int] = field(default_factory=list)
    seconds: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)  # kind → why it was not run

    @property
    def kills(self) -> int:
        """SIGKILLs, all kinds."""
        return sum(one.kills for round_ in self.rounds for one in round_.faults)


def table(totals: Totals, kinds: Sequence[str]) -> str:
    """A Markdown table; a loss or a double counts for every kind of fault in its round."""
    lines = [
        "| fault | times | losses | doubles | longest recovery s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in kinds:
        faults = [one for round_ in totals.rounds for one in round_.faults if one.kind == kind]
        if not faults:
            lines.append(f"| {kind} | {totals.notes.get(kind, '0')} | | | |")
            continue
        hit = [r for r in totals.rounds if any(one.kind == kind for one in r.faults)]
        losses = sum(len(round_.losses) for round_ in hit)
        doubles = sum(len(round_.doubles) for round_ in hit)
        longest = max((one.recovery for one in faults if one.recovery is not None), default=0.0)
        lines.append(f"| {kind} | {len(faults)} | {losses} | {doubles} | {longest:.1f} |")
    return "\n".join([*lines, "", _summary(totals)])


def _summary(totals: Totals) -> str:
    searches = {k: n for k, n in totals.answers.items() if k.startswith("search ")}
    answered = searches.get("search 200", 0)
    refused = sum(n for k, n in searches.items() if k[7:10] in ("503", "504"))
    away = sum(searches.values()) - answered - refused
    failed = sum(round_.failed for round_ in totals.rounds)
    slowest = max((round_.settled for round_ in totals.rounds), default=0.0)
    return (
        f"{totals.kills} kills; {totals.acknowledged:,} writes acknowledged, {totals.rows:,} rows "
        f"imported; {answered:,} searches answered, {refused:,} refused for now, {away:,} while "
        f"the shim was away; seeds {totals.seeds[0]}..{totals.seeds[-1]}, {len(totals.rounds)} "
        f"rounds ({failed} failed), settled within {slowest:.0f} s; "
        f"{totals.seconds / 60:.1f} minutes."
    )
